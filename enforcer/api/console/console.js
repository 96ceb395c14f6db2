// The console: what tegd says, shown. Text of others goes through textContent, never through HTML.

const API = '/api/tegumentar/';
const KEPT = 120;                // seconds of each plot
let token = '';
let tag = '';                    // of the generation in force
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
	const all = { policy, tag: s.tag, posture: s.posture, reason: s.posture_reason, since: s.posture_since ?? '', until,
		engine: s.engine, fault: s.fault, tegd: `${s.version}, ${s.adopted}, since ${s.started}` };
	$('facts').replaceChildren(...Object.entries(all).filter(([, v]) => v)
		.flatMap(([k, v]) => [make('dt', k), make('dd', v, k === 'fault' ? 'bad' : '')]));
}

function postures(s) {
	const chosen = document.querySelector('#postures input:checked')?.value ?? s.posture;
	$('postures').replaceChildren(...s.postures.map((p) => {
		const label = make('label'), radio = make('input');
		Object.assign(radio, { type: 'radio', name: 'to', value: p.name, checked: p.name === chosen });
		label.append(radio, ` ${p.name}${p.name === s.posture ? ' (active)' : ''} – ${p.title}`);
		return label;
	}));
}

async function status() {
	const s = await look('status');
	tag = s.tag;
	$('state').textContent = s.generation ? `${s.posture}, generation ${s.generation}, ${s.intact ? 'intact' : 'not intact'}`
		: 'no policy is enforced';
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

function note(text, className = '') {
	$('events').prepend(make('li', text, className));
	while ($('events').children.length > 100)
		$('events').lastChild.remove();
}

function heard(type, data) {
	if (type === 'qualia')
		return qualia(data);
	if (type === 'change')
		note(`${data.time} ${data.what} ${data.summary}: ${data.result}`, data.result === 'done' ? '' : 'bad');
	else if (type === 'blocked')
		note(`${data.sources} sources are blocked`);
	else
		note('some events were missed');
	return status();
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

// ---- changing

$('posture').addEventListener('submit', async (event) => {
	event.preventDefault();
	const body = { posture: document.querySelector('#postures input:checked')?.value ?? '' };
	if ($('reason').value)
		body.reason = $('reason').value;
	if ($('duration').value)
		body.duration_minutes = Number($('duration').value);
	try {
		const done = await (await ask(`${API}posture`, { method: 'POST', body: JSON.stringify(body),
			headers: { 'Content-Type': 'application/json', 'If-Match': `"${tag}"` } })).json();
		$('switched').textContent = `${done.posture} is active`;
		$('switched').className = 'good';
	} catch (e) {
		$('switched').textContent = `${e.message} ${e.advice ?? ''}`;
		$('switched').className = 'bad';
	}
	await status();
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
	await counters();
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
