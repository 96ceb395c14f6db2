/*
 * The grammar of policies for editors: lang/syntax/teg.y once more, in tree-sitter's words.
 *
 * It takes what tegc takes, and a little more: words of the language may stand where a name is
 * due, and a line may go on where no statement can end. tests/unit/tree_sitter.c holds it to
 * that, and to the words of lang/vocab/word.def. After a change: `tree-sitter generate`
 * (0.22, ABI 14), and src/ is committed with it.
 *
 * A line end is a token where a statement may end and a blank everywhere else; so inside
 * brackets and behind operators lines go on by themselves.
 */

/* The words that begin a phrase in each construct, so that several may share a line (PHRASE). */
const PLAYBOOK = ["block", "unblock", "notify", "capture", "sessions", "approve", "run", "throttle",
	"expect", "scar", "posture", "unthrottle", "unscar"];
const DECOY = ["service", "port", "reply", "technique"];
const FEED = ["url", "format", "refresh", "max", "stale", "action"];

/* Words of the language that begin a phrase elsewhere. */
const BESIDE_NAMES = ["block", "posture", "service", "port"];

/* Words of the language that a phrase may have among its arguments. */
const AMONG_ARGUMENTS = ["for", "to", "from", "per", "in", "on", "out", "by", "within", "else", "block", "port"];

const PREC = { OR: 1, AND: 2, NOT: 3, PORT: 4, JOIN: 5, MEET: 6, PART: 7, RANGE: 8 };

const list_of = (item) => seq(item, repeat(seq(",", item)));

/* { lines }: the last needs no line end before the brace. */
const lines = ($, line) => seq(repeat(choice(seq(line, $._line_end), $._line_end)), optional(line));
const block = ($, line) => seq("{", lines($, line), "}");

/*
 * A phrase in a construct of which `words` begin one: these end the phrase before. Any other
 * name is an argument, but for the first of a line.
 */
const phrase = ($, words, among = AMONG_ARGUMENTS.filter((w) => !words.includes(w))) => prec.right(seq(
	field("word", alias(choice($.name, ...words), $.word)),
	repeat(choice($._value, $.comparison, $.record, ...among))));

module.exports = grammar({
	name: "teg",

	extras: ($) => [/\s/, $.comment],
	word: ($) => $.name,

	rules: {
		source_file: ($) => lines($, $._declaration),

		_line_end: (_) => /\r?\n/,
		comment: (_) => token(/#[^\r\n]*/),

		/* --- declarations ------------------------------------------------------------ */

		_declaration: ($) => choice($.policy, $.import, $.param, $.zone, $.net, $.service,
			$.lifeline, $.block, $.posture, $.initial, $.reflex, $.test,
			alias($.if_declarations, $.if), $.limit_declaration, $.feed, $.derme, $.decoy,
			$.playbook, $.response, $.homeostasis, $.invariant, $.order),

		policy: ($) => seq("policy", field("name", $.name), field("title", optional($.string)),
			optional(seq("{", repeat(choice($.setting, $._line_end)), "}"))),
		setting: ($) => seq(field("name", $.name), field("value", $._value)),
		import: ($) => seq("import", field("file", $.string)),
		param: ($) => seq("param", $._parameter),
		_parameter: ($) => seq(field("name", $.name), ":", field("type", $.type),
			optional(seq("=", field("value", $._value)))),
		type: ($) => choice($.name, "net", "port", "service"),
		zone: ($) => seq("zone", field("name", $.name), "=", field("value", $._value)),
		net: ($) => seq("net", field("name", $.name), "=", field("value", $._value)),
		service: ($) => seq("service", field("name", $.name), "=", field("value", $._value)),
		lifeline: ($) => seq("lifeline", block($, alias($.lifeline_rule, $.rule))),
		lifeline_rule: ($) => seq(optional($.label), optional($.direction), $.selector),
		block: ($) => seq(optional($.label), "block", field("sources", $._value),
			optional(seq("on", field("zone", $._value)))),
		initial: ($) => seq("initial", "posture", field("name", $.name)),
		order: ($) => seq("order", $.name, repeat(seq("<=", $.name))),

		if_declarations: ($) => seq("if", field("condition", $._condition), block($, $._declaration),
			optional(alias($.else_declarations, $.else))),
		else_declarations: ($) => seq("else", block($, $._declaration)),
		if_items: ($) => seq("if", field("condition", $._condition), block($, $._posture_item),
			optional(alias($.else_items, $.else))),
		else_items: ($) => seq("else", block($, $._posture_item)),
		if_steps: ($) => seq("if", field("condition", $._condition), $._steps,
			optional(alias($.else_steps, $.else))),
		else_steps: ($) => seq("else", $._steps),

		limit_declaration: ($) => seq("limit", field("name", $.name), "=", $.limit),
		limit: ($) => seq(field("amount", $._value), repeat($.per),
			repeat(choice($.option, "shared"))),
		per: ($) => seq("per", $._value),
		option: ($) => seq(field("name", $.name), field("value", $._value)),

		label: ($) => seq(choice($.name, $.rule_id), ":"),

		/* --- postures and their rules -------------------------------------------------- */

		posture: ($) => seq("posture", field("name", $.name), field("title", optional($.string)),
			optional(seq("extends", field("extends", $.name))), block($, $._posture_item)),
		_posture_item: ($) => choice($.default, $.malformed, $.setting, $.rule, $.without, alias($.if_items, $.if)),
		default: ($) => seq("default", optional($.direction), $.verdict),
		malformed: ($) => seq("malformed", field("verdict", choice(alias("drop", $.verdict), $.name)),
			optional(list_of(choice($.name, alias("payload", $.name))))),
		without: ($) => seq("without", list_of($.name)),
		rule: ($) => seq(optional($.label), $.verdict, optional($.direction), $.selector, repeat($._tail)),
		_tail: ($) => choice(seq("limit", $.limit), $.log, $.emit),
		log: ($) => prec.right(seq("log", optional($.string))),
		emit: ($) => seq("emit", field("severity", $.name), optional(alias($.option, $.sample))),
		verdict: (_) => choice("allow", "drop", "reject"),
		direction: (_) => choice("in", "forward", "out"),

		/* --- selectors ------------------------------------------------------------------- */

		selector: ($) => choice(seq($.head, repeat($._clause)), repeat1($._clause)),
		head: ($) => choice($._value, seq($.name, $._value)),
		_clause: ($) => choice($.from, $.to, $.port, $.on, $.flags, $.payload),
		/* A port behind an end is that end's. */
		from: ($) => prec.right(PREC.PORT, seq("from", $._value, optional($.port))),
		to: ($) => prec.right(PREC.PORT, seq("to", $._value, optional($.port))),
		port: ($) => seq("port", $._value),
		on: ($) => seq("on", $._value),
		flags: ($) => seq("flags", $._words, optional(seq("/", $._words))),
		_words: ($) => prec.left(seq($.name, repeat(seq("+", $.name)))),
		payload: ($) => seq("payload", choice($.regex, $.name), optional($.within)),

		/* --- reflexes ---------------------------------------------------------------------- */

		reflex: ($) => seq("reflex", field("name", $.name), "{",
			repeat(choice($.match, $.when, $.do, $.except, $._line_end)), "}"),
		match: ($) => seq("match", $.selector),
		when: ($) => seq("when", choice(
			seq(field("measure", $.name), optional($.per), ">", $._value, repeat($.per)),
			seq("exceeds", field("limit", $.name)))),
		do: ($) => seq("do", list_of($._effect)),
		except: ($) => seq("except", "in", list_of($.name)),
		_effect: ($) => choice($.verdict, $.containment, $.emit, $.phrase),
		containment: ($) => seq($.verdict, $._value, "for", $._value),

		/* --- tests --------------------------------------------------------------------------- */

		test: ($) => seq("test", field("title", $.string), block($, $._test_item)),
		_test_item: ($) => choice($.in_posture, $.case, $.forall, $.after, $.todo, $.refuses, $.table),
		in_posture: ($) => seq("posture", field("name", $.name)),
		case: ($) => seq(choice($.packet, $.packets), "=>", $._expected),
		packets: ($) => seq(choice($.number, $.quantity), "*", "(", $.packet, ")",
			optional(alias($.packets_within, $.within))),
		packets_within: ($) => seq("in", $._value),
		forall: ($) => seq("forall", optional($.direction), $.selector, "=>", $._expected),
		after: ($) => seq("after", $._value),
		todo: ($) => seq("todo", $.string),
		refuses: ($) => seq("refuses", field("code", $.name), block($, $._declaration)),
		table: ($) => seq("table", $.packet, "{", repeat($._line_end), $.header,
			repeat(choice(seq($.row, $._line_end), $._line_end)), optional($.row), "}"),
		header: ($) => seq(repeat1($._cell), $._line_end),
		row: ($) => seq(repeat1($._cell), "=>", $._expected),
		_cell: ($) => choice($.name, $.self, $.number, $.address, $.string),

		packet: ($) => seq(field("protocol", $.name), field("kind", optional($.kind)),
			field("source", $.end), "->", field("destination", $.end),
			repeat($._packet_word)),
		kind: ($) => choice($.name, $.number, seq($.number, "/", $.number)),
		end: ($) => seq(choice($.address, seq("[", $.address, "]"), $.self, $.any, $.name),
			optional(seq(":", choice($.number, $.name)))),
		_packet_word: ($) => choice($._words, $.direction, $.quantity, alias($.packet_zone, $.on),
			alias($.packet_payload, $.payload)),
		packet_zone: ($) => seq("on", $.name),
		packet_payload: ($) => seq("payload", $.string),

		_expected: ($) => seq(optional("last"), $.verdict, optional($.by),
			repeat(seq(",", $.emits))),
		by: ($) => seq("by", choice($.name, $.dotted_name, $.rule_id, "default", "lifeline")),
		emits: ($) => seq("emits", field("severity", $.name)),

		/* --- claims --------------------------------------------------------------------------- */

		invariant: ($) => seq("invariant", field("name", $.name), block($, $.claim)),
		claim: ($) => seq("in", field("scope", $.scope), ":", optional($.direction), $.selector,
			"is", field("outcome", $.name)),
		scope: ($) => choice($._value, seq($.name, "posture")),

		/* --- sessions, decoys, playbooks, regulation -------------------------------------------- */

		feed: ($) => seq("feed", field("name", $.name), block($, repeat1(alias($.feed_phrase, $.phrase)))),
		feed_phrase: ($) => phrase($, FEED),

		decoy: ($) => seq("decoy", field("name", $.name), block($, repeat1(alias($.decoy_phrase, $.phrase)))),
		decoy_phrase: ($) => phrase($, DECOY),

		derme: ($) => seq("derme", block($, $.sense)),
		sense: ($) => seq(optional($.label), choice(seq("when", $._condition), $.phrase),
			"do", list_of($._effect)),

		playbook: ($) => seq("playbook", field("name", $.name), "(", optional(list_of($.parameter)), ")",
			$._steps),
		parameter: ($) => $._parameter,
		_steps: ($) => block($, $._step_line),
		_step_line: ($) => choice($.budget, $.phase, $.parallel, alias($.if_steps, $.if), $.on_failure,
			repeat1(alias($.step, $.phrase))),
		step: ($) => phrase($, PLAYBOOK),
		budget: ($) => seq("budget", list_of($.phrase)),
		phase: ($) => seq("phase", field("name", $.name), $._steps),
		parallel: ($) => seq("parallel", $._steps),
		on_failure: ($) => seq("on", $.name, $._steps),

		response: ($) => seq("on", field("event", choice($._value, "decoy")),
			optional(seq("where", $._condition)), $.call),
		call: ($) => seq("run", field("playbook", $.name), "(", optional(list_of($._value)), ")"),

		homeostasis: ($) => seq("homeostasis", block($, $.regulation)),
		regulation: ($) => seq("when", $._condition, $.phrase, optional(seq("until", $._condition))),

		/* A phrase: a word and its arguments. */
		phrase: ($) => phrase($, BESIDE_NAMES, AMONG_ARGUMENTS),
		record: ($) => seq("{", optional(seq($.field, repeat(seq(choice(",", $._line_end), $.field)),
			repeat($._line_end))), "}"),
		field: ($) => seq(field("name", $.name), ":", field("value", $._value)),

		/* --- conditions ----------------------------------------------------------------------------- */

		_condition: ($) => choice($._value, $._test),
		_test: ($) => choice($.relation, alias($.test_in_brackets, $.parenthesized), $.not, $.and, $.or),
		test_in_brackets: ($) => seq("(", $._test, ")"),
		not: ($) => prec(PREC.NOT, seq("not", choice($._condition, seq("from", $._value), seq("to", $._value)))),
		and: ($) => prec.left(PREC.AND, seq($._condition, "and", $._condition)),
		or: ($) => prec.left(PREC.OR, seq($._condition, "or", $._condition)),
		relation: ($) => seq(choice($._value, $.measure), $._relop, $._value,
			optional(choice($.within, $.lasts))),
		within: ($) => seq("within", $._value),
		lasts: ($) => seq("for", $._value),
		measure: ($) => seq(field("name", $.name), "(", $._value, ")"),
		comparison: ($) => seq($._value, $._relop, $._value),
		_relop: (_) => choice("<", "<=", "==", "!=", ">=", ">"),

		/* --- values ---------------------------------------------------------------------------------- */

		_value: ($) => choice($.name, $.dotted_name, $.string, $.number, $.quantity, $.address,
			$.any, $.self, $.list, $.parenthesized, $.join, $.minus, $.meet, $.part, $.range),
		any: (_) => "any",
		self: (_) => "self",
		list: ($) => seq("[", optional(seq(list_of($._value), optional(","))), "]"),
		parenthesized: ($) => seq("(", $._value, ")"),
		join: ($) => prec.left(PREC.JOIN, seq($._value, "+", $._value)),
		minus: ($) => prec.left(PREC.JOIN, seq($._value, "-", $._value)),
		meet: ($) => prec.left(PREC.MEET, seq($._value, "&", $._value)),
		part: ($) => prec.right(PREC.PART, seq($._value, "/", $._value)),
		range: ($) => prec.left(PREC.RANGE, seq($._value, "..", $._value)),

		/* --- words: teg.l ---------------------------------------------------------------------------- */

		name: (_) => /[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z][A-Za-z0-9_]*)*/,
		dotted_name: (_) => /[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z][A-Za-z0-9_]*)*(\.[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z][A-Za-z0-9_]*)*)+/,
		rule_id: (_) => /~[0-9A-Fa-f]{8}/,
		number: (_) => /[0-9]+/,
		quantity: (_) => /[0-9]+\.[0-9]+|[0-9]+(\.[0-9]+)?([A-Za-z]+|%)/,
		address: (_) => token(choice(
			/[0-9]+\.[0-9]+(\.[0-9]+)+(\/[0-9]+)?/,
			/[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(\.[0-9]+)*(\/[0-9]+)?/)),
		regex: (_) => token(seq("/", /([^\/\\\r\n]|\\[^\r\n])*/, "/", /[a-z]*/)),
		string: ($) => seq('"', repeat(choice($._text, $.escape)), token.immediate('"')),
		_text: (_) => token.immediate(prec(1, /[^"\\\r\n]+/)),
		escape: (_) => token.immediate(/\\(["\\ntr]|x[0-9A-Fa-f]{2})/),
	},
});
