// The console: what tegd says, shown. Text of others goes through textContent, never through HTML.

const API = '/api/tegumentar/';
const KEPT = 120;                // seconds of each plot
let token = '';
let tag = '';                    // of the generation in force
let baseUnknown = false;         // a policy is enforced, and it is not known which
let planned = null;              // the plan that is shown, and its file
let counted = null;              // the counters before

const $ = (id) => document.getElementById(id);

function make(name, text = '', className = '') {
	const node = document.createElement(name);
	node.textContent = text;
	if (className)
		node.className = className;
	return node;
}

function rows(table, lists) {
	$(table).tBodies[0].replaceChildren(...lists.map((cells) => {
		const tr = make('tr');
		tr.append(...cells.map((c) => typeof c === 'number' ? make('td', c.toLocaleString('en'), 'n') : make('td', c)));
		return tr;
	}));
}

// ---- asking

class Refused extends Error {
	constructor(problem, status) {
		super(problem.detail ? `${problem.title}: ${problem.detail}` : `refused (${status})`);
		this.status = status;
		this.advice = problem.try ?? '';
	}
}

async function ask(path, options = {}) {
	const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
	const answer = await fetch(path, { ...options, headers, credentials: 'omit' });
	if (!answer.ok)
		throw new Refused(await answer.json().catch(() => ({})), answer.status);
	return answer;
}

const look = async (what) => (await ask(API + what)).json();

// ---- status

function facts(s) {
	const until = s.posture_until ? `${s.posture_until}, then ${s.posture_next}` : '';
	const policy = s.policy ? `${s.policy.name} ${s.policy.version}` : 'none';
	const proofs = s.policy && !s.policy.proved ? 'none: nobody knows that it does what it says' : '';
	const all = { policy, proofs, tag: s.tag, posture: s.posture, reason: s.posture_reason, since: s.posture_since ?? '', until,
		engine: s.engine, fault: s.fault, tegd: `${s.version}, ${s.adopted}, since ${s.started}` };
	$('facts').replaceChildren(...Object.entries(all).filter(([, v]) => v)
		.flatMap(([k, v]) => [make('dt', k), make('dd', v, ['fault', 'proofs'].includes(k) ? 'bad' : '')]));
}

function postures(s) {
	const chosen = document.querySelector('#postures input:checked')?.value ?? s.posture;
	$('postures').replaceChildren(...s.postures.map((p) => {
		const label = make('label'), radio = make('input');
		Object.assign(radio, { type: 'radio', name: 'to', value: p.name, checked: p.name === chosen });
		label.append(radio, ` ${p.name}${p.name === s.posture ? ' (active)' : ''} – ${p.title}`);
		if (p.no_wider_than.length)
			label.append(make('small', ` no wider than ${p.no_wider_than.join(', ')}`, 'order'));
		return label;
	}));
}

function pending(s) {
	$('pending').hidden = !s.pending;
	if (s.pending)
		$('waits').textContent = `Generation ${s.generation} goes at ${s.pending.until} unless it is confirmed; `
			+ `then the policy of generation ${s.pending.before} comes back.`;
}

async function status() {
	const s = await look('status');
	tag = s.tag;
	pending(s);
	baseUnknown = !s.generation && s.adopted === 'unknown';
	$('state').textContent = s.generation ? `${s.posture}, generation ${s.generation}, ${s.intact ? 'intact' : s.intact === null ? 'not known whether intact' : 'not intact'}`
		: baseUnknown ? 'a policy is enforced, and it is not known which' : 'no policy is enforced';
	$('state').className = s.generation && s.intact ? 'good' : 'bad';
	facts(s);
	postures(s);
	rows('interfaces', s.interfaces.map((i) => [i.name, i.zone, i.engine, i.reason]));
}

// ---- counters

async function counters() {
	const now = await look('counters');
	const before = new Map(counted?.rules.map((r) => [r.id, r.packets]));
	const seconds = counted ? (now.at_ns - counted.at_ns) / 1e9 : 0;
	const all = [...now.rules, ...now.unjudged.map((u) => ({ ...u, id: u.cause }))];
	const busy = all.filter((r) => r.packets > 0).map((r) => ({ ...r, rate: seconds > 0 && before.has(r.id)
		? Math.max(0, r.packets - before.get(r.id)) / seconds : 0 }));
	busy.sort((a, b) => b.rate - a.rate || b.packets - a.packets);
	rows('rules', busy.slice(0, 25).map((r) => [r.id, r.verdict, Math.round(r.rate * 10) / 10, r.packets]));
	counted = { at_ns: now.at_ns, rules: all };
}

// ---- qualia

const plots = new Map();

function plot(name) {
	const box = make('div', '', 'plot'), value = make('span', '', 'n');
	const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
	const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
	svg.setAttribute('viewBox', `0 0 ${KEPT - 1} 1`);
	svg.setAttribute('preserveAspectRatio', 'none');
	svg.setAttribute('role', 'img');
	svg.append(line);
	box.append(make('span', name), svg, value);
	$('plots').append(box);
	return { svg, line, value, points: [] };
}

function qualia(q) {
	for (const name of ['pressure', 'temperature', 'pain', 'vibration', 'texture']) {
		if (q[name] === null)
			continue;
		if (!plots.has(name))
			plots.set(name, plot(name));
		const p = plots.get(name);
		p.points.push(q[name]);
		p.points.splice(0, p.points.length - KEPT);
		const from = KEPT - p.points.length;
		p.line.setAttribute('points', p.points.map((v, i) => `${from + i},${1 - v}`).join(' '));
		p.value.textContent = q[name].toFixed(2);
		p.svg.setAttribute('aria-label', `${name} ${q[name].toFixed(2)}`);
	}
}

// ---- events

function note(text, className = '', list = 'events') {
	$(list).prepend(make('li', text, className));
	while ($(list).children.length > 100)
		$(list).lastChild.remove();
}

// Packets may come by the thousand: they have a list of their own, drawn ten times a second at most.
const packets = [];

function words(p) {
	const ends = p.source ? `${p.protocol} ${p.source} > ${p.destination}` : '';

	return [p.time, p.verdict, p.severity ? `${p.by}, ${p.severity}:` : `${p.by}:`, ends,
		p.destination_port === undefined ? '' : `port ${p.destination_port}`, `on ${p.interface}`].join(' ');
}

function drawPackets() {
	const some = packets.splice(0, packets.length);

	for (const p of some.slice(-20))
		note(words(p), p.verdict === 'drop' ? 'bad' : '', 'packets');
	if (some.length > 20)
		note(`and ${some.length - 20} packets before`, '', 'packets');
}

function packet(data) {
	if (packets.push(data) === 1)
		setTimeout(drawPackets, 100);
}

function heard(type, data) {
	if (type === 'qualia')
		return qualia(data);
	if (type === 'drop' || type === 'reflex' || type === 'rule')
		return packet(data);
	if (type === 'missed')
		return note(`${data.packets} packets were told too fast for this page`, '', 'packets');
	if (type === 'change')
		note(`${data.time} ${data.what} ${data.summary}: ${data.result}`, data.result === 'done' ? '' : 'bad');
	else if (type === 'blocked')
		note(`${data.sources} sources are blocked`);
	else
		note('some events were missed');
	return Promise.all([status(), history()]);
}

// EventSource cannot send a token: the stream is read by hand (the HTML standard, 9.2.6).
async function listen(last) {
	const answer = await ask(`${API}events`, { headers: last.id ? { 'Last-Event-ID': last.id } : {} });
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';
	for (;;) {
		const { done, value } = await reader.read();
		if (done)
			return;
		rest += value;
		const blocks = rest.split('\n\n');
		rest = blocks.pop();
		for (const block of blocks) {
			const field = Object.fromEntries(block.split('\n').map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 2)]));
			last.id = field.id ?? last.id;
			if (field.event)
				await heard(field.event, JSON.parse(field.data));
		}
	}
}

async function listenOn() {
	const last = { id: '' };
	for (;;) {
		await listen(last).catch(() => {});
		$('state').textContent = 'tegd does not answer; what it enforced is still enforced';
		$('state').className = 'bad';
		await new Promise((then) => setTimeout(then, 2000));
		await status().catch(() => {});
	}
}

// ---- generations

function rollbackTo(number) {
	const button = make('button', 'restore');
	button.addEventListener('click', () => change('applied', async () => {
		const done = await post('rollback', JSON.stringify({ generation: number, confirm_seconds: 300 }), { 'Content-Type': 'application/json' });
		return `generation ${done.generation} restores ${number}`;
	}));
	return button;
}

async function history() {
	const h = await look('history');
	rows('history', h.generations.map((g) => [g.generation, g.at, g.of ? `${g.how} of ${g.of}` : g.how, `${g.policy} ${g.version}`,
		g.generation === h.now ? `${g.result}, in force` : g.result]));
	for (const [i, tr] of [...$('history').tBodies[0].rows].entries()) {
		const cell = make('td');
		if (h.generations[i].generation !== h.now)
			cell.append(rollbackTo(h.generations[i].generation));
		tr.append(cell);
	}
}

// ---- changing

async function post(what, body, headers = {}) {
	return (await ask(API + what, { method: 'POST', body, headers: { 'If-Match': `"${tag}"`, ...headers } })).json();
}

// What was done, or why it was not, is said at `where`.
async function change(where, act) {
	$(where).textContent = '…';
	try {
		$(where).textContent = await act();
		$(where).className = 'good';
	} catch (e) {
		$(where).textContent = `${e.message} ${e.advice ?? ''}`;
		$(where).className = 'bad';
	}
	await Promise.all([status(), history()]).catch(() => {});
}

$('offer').addEventListener('submit', (event) => {
	event.preventDefault();
	const file = $('file').files[0];
	$('apply').hidden = true;
	change('applied', async () => {
		const headers = { 'Content-Type': 'application/octet-stream' };
		if (baseUnknown)
			headers['Base-Unknown'] = 'yes';
		const plan = await (await ask(`${API}plan`, { method: 'POST', body: file, headers })).json();
		show(plan);
		planned = { file, token: plan.plan };
		$('apply').hidden = plan.same;
		return plan.same ? 'nothing would change: it is the bundle in force'
			: `${plan.base_known ? '' : 'What is in force is not known, so all of the bundle is shown as new: '}${plan.policy} ${plan.version}${plan.proved ? '' : ' (NOT PROVED)'}, then in posture ${plan.posture}`;
	});
});

function show(plan) {
	const names = [['postures_added', 'added', '+ posture '], ['postures_removed', 'removed', '− posture '],
		['rules_added', 'added', '+ '], ['rules_removed', 'removed', '− '], ['needs', '', 'needs ']];
	$('changes').replaceChildren(...names.flatMap(([list, style, sign]) => plan[list].map((n) => make('li', sign + n, style))));
	$('diff').replaceChildren(...plan.text.split('\n').map((line) =>
		make('span', `${line}\n`, line[0] === '+' ? 'added' : line[0] === '-' ? 'removed' : 'quiet')));
	if (!plan.text_complete)
		$('diff').textContent = 'The texts differ in too much to be shown.';
}

$('apply').addEventListener('submit', (event) => {
	event.preventDefault();
	$('apply').hidden = true;
	change('applied', async () => {
		const headers = { 'Content-Type': 'application/octet-stream', Plan: planned.token };
		if ($('within').value)
			headers['Confirm-Seconds'] = $('within').value;
		const done = await (await ask(`${API}policy`, { method: 'POST', body: planned.file, headers })).json();
		return `generation ${done.generation} is active`;
	});
});

// A connection from before the switch does not count, and is closed when one tries: so it is tried over the next.
$('confirm').addEventListener('click', (event) => {
	event.preventDefault();
	change('settled', async () => {
		for (let tries = 0; ; tries++) {
			try {
				return `generation ${(await post('confirm', '')).generation} stays`;
			} catch (e) {
				if (e.status !== 422 || tries === 8)
					throw e;
			}
		}
	});
});

$('cancel').addEventListener('click', (event) => {
	event.preventDefault();
	change('settled', async () => `generation ${(await post('cancel', '')).generation} is back`);
});

$('posture').addEventListener('submit', async (event) => {
	event.preventDefault();
	const body = { posture: document.querySelector('#postures input:checked')?.value ?? '' };
	if ($('reason').value)
		body.reason = $('reason').value;
	if ($('duration').value)
		body.duration_minutes = Number($('duration').value);
	await change('switched', async () => `${(await post('posture', JSON.stringify(body), { 'Content-Type': 'application/json' })).posture} is active`);
});

// ---- beginning

async function begin() {
	try {
		await status();
	} catch (e) {
		if (e.status !== 401 && e.status !== 403)
			throw e;
		$('refused').textContent = token ? e.message : '';
		$('state').textContent = 'who are you?';
		$('door').hidden = false;
		$('token').focus();
		return;
	}
	$('door').hidden = true;
	$('all').hidden = false;
	await Promise.all([counters(), history()]);
	setInterval(() => document.hidden || counters().catch(() => {}), 2000);
	listenOn();
}

$('door').addEventListener('submit', (event) => {
	event.preventDefault();
	token = $('token').value;
	$('token').value = '';
	begin();
});
begin().catch((e) => { $('state').textContent = e.message; });
