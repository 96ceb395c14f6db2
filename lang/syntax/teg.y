/*
 * teg.y - the grammar of policies. docs/language.md tells it to people.
 *
 * Each action makes one node. Meaning is asked later, by compiler/front, where
 * several mistakes can be told at once. `error` stands where reading can go on:
 * at the end of a statement, and at the block that it opens.
 */
%define api.pure full
%define api.prefix {teg_}
%define api.token.prefix {T_}
%define api.location.type {struct span}
%define parse.error custom
%define parse.lac full
%define lr.default-reduction consistent
%locations
%expect 0
%param { struct parser *p }

%code requires {
#include "lang/syntax/parser.h"
}

%union {
	struct node *node;
	const char *text;
}

%code provides {
int teg_lex(TEG_STYPE *value, TEG_LTYPE *at, struct parser *p); /* layout.c */
}

%code {
#include "lang/syntax/grammar.h"
#include "lang/vocab/verdict.h"

static void yyerror(struct span *at, struct parser *parser, const char *message);

/* A place for what is empty: where the one before it ends. */
#define YYLLOC_DEFAULT(whole, parts, n)                                                            \
	((whole) = (n) ? span_join(YYRHSLOC(parts, 1), YYRHSLOC(parts, n)) :                       \
			 (struct span){ p->file, YYRHSLOC(parts, 0).to, YYRHSLOC(parts, 0).to })

#define NEW(kind, at)		grammar_node(p, NODE_##kind, at, NULL, 0)
#define TEXT(kind, at, text)	grammar_node(p, NODE_##kind, at, text, 0)
#define WORD(kind, at, word)	grammar_node(p, NODE_##kind, at, NULL, word)
#define ONE(kind, at, x)	node_add(NEW(kind, at), x)
#define TWO(kind, at, x, y)	node_add(ONE(kind, at, x), y)
#define SAME(kind, at, x)	grammar_same(p, NODE_##kind, at, x)
#define MOVE(to, from)		grammar_move(p, to, from)
}

%token A_FILE "policy text" A_VALUE "value text" A_CLAIM "claim text" A_PACKET "packet text"
%token NEWLINE "end of line" ERROR "unreadable text"
%token <text> NAME "name" DOTTED "dotted name" ANONYMOUS "rule id"
%token <text> NUMBER "number" QUANTITY "quantity" ADDRESS "address" STRING "string" REGEX "pattern"
%token YIELDS "=>" ARROW "->" UPTO ".." ATMOST "<=" ATLEAST ">=" EQUALS "==" DIFFERS "!="

%token POLICY "policy" IMPORT "import" PARAM "param" ZONE "zone" NET "net"
%token LIFELINE "lifeline" EXTENDS "extends" DEFAULT "default"
%token INITIAL "initial" REFLEX "reflex" MATCH "match" WHEN "when" DO "do" EXCEPT "except" TEST "test"
%token ALLOW "allow" DROP "drop" REJECT "reject" FORWARD "forward" ANY "any" SELF "self" LAST "last"
%token <text> BLOCK "block" POSTURE "posture" SERVICE "service" DECOY "decoy" IN "in" OUT "out" FROM "from" TO "to"
%token <text> PORT "port" ON "on" PER "per" FOR "for" BY "by" WITHIN "within" ELSE "else"
%token FLAGS "flags" IF "if" WITHOUT "without" LIMIT "limit" SHARED "shared" LOG "log" EMIT "emit" EMITS "emits"
%token PAYLOAD "payload" EXCEEDS "exceeds" FEED "feed" DERME "derme" PLAYBOOK "playbook"
%token HOMEOSTASIS "homeostasis" WHERE "where" UNTIL "until" AND "and" OR "or" NOT "not"
%token INVARIANT "invariant" IS "is" ORDER "order" FORALL "forall"
%token PHASE "phase" PARALLEL "parallel" BUDGET "budget" TODO "todo" AFTER "after" TABLE "table" REFUSES "refuses"
%token RESPONSE "response"
%token <text> MALFORMED "malformed"

/* Sets: & before + and -, as * before +; a range is one thing, and so are `tcp/8000..8010` and `icmpv6/1/4`. */
%nonassoc LOW
%left "or"
%left "and"
%precedence "not"
%nonassoc "port"
%left '+' '-'
%left '&'
%right '/'
%nonassoc ".."

%type <node> file item declaration settings setting title lifelines lifeline_line lifeline
%type <node> posture_items posture_item extends rule verdict direction selector head clauses clause
%type <node> end_port reflex_items reflex_item names causes some_causes cause name words tests test_item packet
%type <node> packet_words packet_end packet_address packet_port kind within expect last by by_name value list
%type <node> some_values type label
%type <node> limit pers per limit_options tails tail sample condition test relation span effects effect
%type <node> params some_params parameter phrase phrase_lines arguments argument record fields senses sense steps step budget calls call
%type <node> regulations regulation claims claim scope orders payload_end rows row cells cell header effect_name
%type <text> opt_text keyword relop phrase_word

%%

input
	: "policy text" file			{ p->out->root = $2; }
	| "value text" value "end of line"	{ p->out->root = $2; }
	| "claim text" claim "end of line"	{ p->out->root = $2; }
	| "packet text" packet "end of line"	{ p->out->root = $2; }
	;

file
	: %empty				{ $$ = NEW(FILE, @$); }
	| file item				{ $$ = node_add($1, $2); }
	;

/*
 * One declaration to a line. What cannot be read ends with its line, or with the
 * block that it opens. Where its name was read, uses of it are no mistakes of
 * their own; `error` must follow that name at once, since recovery only shifts it.
 */
item
	: declaration "end of line"
	| "param" name error "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "zone" name error "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "net" name error "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "service" name error "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "reflex" name error "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "reflex" name error '{' junk '}' "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "posture" name error "end of line"	{ $$ = grammar_hole(p, @$, $2); yyerrok; }
	| "posture" name error '{' posture_items '}' "end of line"
		{ $$ = MOVE(ONE(POSTURE, @$, grammar_named_hole(p, $2)), $5); yyerrok; }
	| error "end of line"			{ $$ = grammar_hole(p, @$, NULL); yyerrok; }
	| error '{' junk '}' "end of line"	{ $$ = grammar_hole(p, @$, NULL); yyerrok; }
	;

junk
	: %empty
	| junk error "end of line"
	| junk error '{' junk '}' "end of line"
	;

declaration
	: "policy" name title				{ $$ = TWO(POLICY, @$, $2, $3); }
	| "policy" name title '{' settings '}'		{ $$ = MOVE(TWO(POLICY, @$, $2, $3), $5); }
	| "import" STRING				{ $$ = ONE(IMPORT, @$, TEXT(STRING, @2, $2)); }
	| "param" name ':' type				{ $$ = TWO(PARAM, @$, $2, $4); }
	| "param" name ':' type '=' value		{ $$ = node_add(TWO(PARAM, @$, $2, $4), $6); }
	| "zone" name '=' value				{ $$ = TWO(ZONE, @$, $2, $4); }
	| "net" name '=' value				{ $$ = TWO(NET, @$, $2, $4); }
	| "service" name '=' value			{ $$ = TWO(SERVICE, @$, $2, $4); }
	| "lifeline" '{' lifelines '}'			{ $$ = MOVE(NEW(LIFELINE, @$), $3); }
	| "block" value					{ $$ = ONE(BLOCK, @$, $2); }
	| "block" value "on" value			{ $$ = TWO(BLOCK, @$, $2, ONE(ON, @4, $4)); }
	| label "block" value				{ $$ = TWO(BLOCK, @$, $1, $3); }
	| label "block" value "on" value		{ $$ = node_add(TWO(BLOCK, @$, $1, $3), ONE(ON, @5, $5)); }
	| "posture" name title extends '{' posture_items '}'
		{ $$ = MOVE(node_add(TWO(POSTURE, @$, $2, $3), $4), $6); }
	| "initial" "posture" name			{ $$ = ONE(INITIAL, @$, $3); }
	| "reflex" name '{' reflex_items '}'		{ $$ = grammar_pack(p, MOVE(ONE(REFLEX, @$, $2), $4)); }
	| "test" STRING '{' tests '}'			{ $$ = MOVE(ONE(TEST, @$, TEXT(TITLE, @2, $2)), $4); }
	| "if" condition '{' file '}'
		{ $$ = TWO(IF, @$, $2, MOVE(NEW(THEN, span_join(@3, @5)), $4)); }
	| "if" condition '{' file '}' "else" '{' file '}'
		{ $$ = grammar_if(p, @$, $2, MOVE(NEW(THEN, span_join(@3, @5)), $4),
				  MOVE(NEW(ELSE, span_join(@7, @9)), $8)); }
	| "limit" name '=' limit			{ $$ = TWO(BUCKET, @$, $2, $4); }
	| "feed" name '{' phrase_lines '}'		{ $$ = MOVE(ONE(FEED, @$, $2), $4); }
	| "derme" '{' senses '}'			{ $$ = MOVE(NEW(DERME, @$), $3); }
	| "decoy" name '{' phrase_lines '}'		{ $$ = MOVE(ONE(DECOY, @$, $2), $4); }
	| "playbook" name '(' params ')' '{' steps '}'	{ $$ = MOVE(MOVE(ONE(PLAYBOOK, @$, $2), $4), $7); }
	| "response" value call				{ $$ = TWO(RESPONSE, @$, $2, $3); }
	| "response" value "where" condition call	{ $$ = node_add(TWO(RESPONSE, @$, $2, ONE(WHERE, @4, $4)), $5); }
	| "response" "decoy" call			{ $$ = TWO(RESPONSE, @$, TEXT(NAME, @2, $2), $3); }
	| "response" "decoy" "where" condition call
		{ $$ = node_add(TWO(RESPONSE, @$, TEXT(NAME, @2, $2), ONE(WHERE, @4, $4)), $5); }
	| "homeostasis" '{' regulations '}'		{ $$ = MOVE(NEW(HOMEOSTASIS, @$), $3); }
	| "invariant" name '{' claims '}'		{ $$ = MOVE(ONE(INVARIANT, @$, $2), $4); }
	| "order" orders				{ $$ = MOVE(NEW(ORDER, @$), $2); }
	;

name	: NAME					{ $$ = TEXT(NAME, @$, $1); } ;
title	: opt_text				{ $$ = $1 ? TEXT(TITLE, @$, $1) : NULL; } ;
opt_text: %empty				{ $$ = NULL; }
	| STRING
	;
label	: NAME ':'				{ $$ = TEXT(LABEL, @1, $1); }
	| ANONYMOUS ':'				{ $$ = TEXT(LABEL, @1, $1); }
	;

/* A parameter's type may be called like what it declares. */
type
	: NAME					{ $$ = TEXT(TYPE, @$, $1); }
	| "net"					{ $$ = TEXT(TYPE, @$, "net"); }
	| "port"				{ $$ = TEXT(TYPE, @$, "port"); }
	| "service"				{ $$ = TEXT(TYPE, @$, "service"); }
	;

/* Settings begin with a name each, so several may share a line. */
settings
	: %empty				{ $$ = NEW(FILE, @$); }
	| settings setting			{ $$ = node_add($1, $2); }
	| settings "end of line"
	| settings error "end of line"		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
setting	: NAME value				{ $$ = node_add(TEXT(SETTING, @$, $1), $2); } ;

/* --- lifelines and postures ------------------------------------------------------------- */

lifelines
	: %empty					{ $$ = NEW(FILE, @$); }
	| lifelines lifeline_line			{ $$ = node_add($1, $2); }
	;
lifeline_line
	: lifeline "end of line"
	| error "end of line"				{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	| error '{' junk '}' "end of line"		{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	;

lifeline
	: selector					{ $$ = ONE(RULE, @$, $1); }
	| direction selector				{ $$ = TWO(RULE, @$, $1, $2); }
	| label selector				{ $$ = TWO(RULE, @$, $1, $2); }
	| label direction selector			{ $$ = node_add(TWO(RULE, @$, $1, $2), $3); }
	;

extends	: %empty				{ $$ = NULL; }
	| "extends" NAME			{ $$ = TEXT(EXTENDS, @2, $2); }
	;

posture_items
	: %empty					{ $$ = NEW(FILE, @$); }
	| posture_items posture_item			{ $$ = node_add($1, $2); }
	;
posture_item
	: "default" verdict "end of line"		{ $$ = WORD(DEFAULT, span_join(@1, @2), $2->word); }
	| "default" direction verdict "end of line"	{ $$ = node_add(WORD(DEFAULT, span_join(@1, @3), $3->word), $2); }
	| setting "end of line"
	| rule "end of line"				{ $$ = grammar_pack(p, $1); }
	| "malformed" "drop" causes "end of line"	{ $$ = MOVE(TEXT(MALFORMED, span_join(@1, @3), "drop"), $3); }
	| "malformed" NAME causes "end of line"		{ $$ = MOVE(TEXT(MALFORMED, span_join(@1, @3), $2), $3); }
	| "without" names "end of line"			{ $$ = MOVE(NEW(WITHOUT, span_join(@1, @2)), $2); }
	| "if" condition '{' posture_items '}' "end of line"
		{ $$ = TWO(IF, span_join(@1, @5), $2, MOVE(NEW(THEN, span_join(@3, @5)), $4)); }
	| "if" condition '{' posture_items '}' "else" '{' posture_items '}' "end of line"
		{ $$ = grammar_if(p, span_join(@1, @9), $2, MOVE(NEW(THEN, span_join(@3, @5)), $4),
				  MOVE(NEW(ELSE, span_join(@7, @9)), $8)); }
	| error "end of line"				{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	| error '{' junk '}' "end of line"		{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	;

/* All of them when none is named. */
causes	: %empty				{ $$ = NULL; }
	| some_causes
	;
some_causes
	: cause					{ $$ = ONE(FILE, @$, $1); }
	| some_causes ',' cause			{ $$ = node_add($1, $3); }
	;
cause	: name
	| "payload"				{ $$ = TEXT(NAME, @$, "payload"); }
	;

rule
	: verdict selector tails			{ $$ = MOVE(node_add(SAME(RULE, @$, $1), $2), $3); }
	| verdict direction selector tails
		{ $$ = MOVE(node_add(node_add(SAME(RULE, @$, $1), $2), $3), $4); }
	| label verdict selector tails
		{ $$ = MOVE(node_add(node_add(SAME(RULE, @$, $2), $1), $3), $4); }
	| label verdict direction selector tails
		{ $$ = MOVE(node_add(node_add(node_add(SAME(RULE, @$, $2), $1), $3), $4), $5); }
	;

/* What a rule does beside its verdict. */
tails
	: %empty				{ $$ = NULL; }
	| tails tail				{ $$ = node_add($1 ? $1 : NEW(FILE, @2), $2); }
	;
tail
	: "limit" limit				{ $$ = $2; }
	| "log"					{ $$ = NEW(LOG, @$); }
	| "log" STRING				{ $$ = ONE(LOG, @$, TEXT(STRING, @2, $2)); }
	| "emit" NAME sample			{ $$ = node_add(TEXT(EMIT, @$, $2), $3); }
	;
sample	: %empty				{ $$ = NULL; }
	| NAME value				{ $$ = node_add(TEXT(OPTION, @$, $1), $2); }
	;

/* `500/s per source burst 10k`, `1000 per 100ms per source/24 shared`; or the name of one. */
limit
	: value pers limit_options		{ $$ = MOVE(MOVE(ONE(LIMIT, @$, $1), $2), $3); }
	;
pers	: %empty				{ $$ = NULL; }
	| pers per				{ $$ = node_add($1 ? $1 : NEW(FILE, @2), $2); }
	;
per	: "per" value				{ $$ = ONE(PER, @$, $2); }
	;
limit_options
	: %empty				{ $$ = NULL; }
	| limit_options NAME value		{ $$ = node_add($1 ? $1 : NEW(FILE, @2), node_add(TEXT(OPTION, span_join(@2, @3), $2), $3)); }
	| limit_options "shared"		{ $$ = node_add($1 ? $1 : NEW(FILE, @2), NEW(SHARED, @2)); }
	;

verdict
	: "allow"				{ $$ = WORD(EXPECT, @$, VERDICT_ALLOW); }
	| "drop"				{ $$ = WORD(EXPECT, @$, VERDICT_DROP); }
	| "reject"				{ $$ = WORD(EXPECT, @$, VERDICT_REJECT); }
	;
direction
	: "in"					{ $$ = WORD(DIRECTION, @$, DIRECTION_IN); }
	| "forward"				{ $$ = WORD(DIRECTION, @$, DIRECTION_FORWARD); }
	| "out"					{ $$ = WORD(DIRECTION, @$, DIRECTION_OUT); }
	;

/* --- selectors ----------------------------------------------------------------------------- */

selector
	: head					{ $$ = ONE(SELECTOR, @$, $1); }
	| head clauses				{ $$ = MOVE(ONE(SELECTOR, @$, $1), $2); }
	| clauses				{ $$ = MOVE(NEW(SELECTOR, @$), $1); }
	;

/* `tcp`, `web`, `[web, dns]`; `icmp echo`, `protocol 47`. */
head
	: value					{ $$ = ONE(HEAD, @$, $1); }
	| name value				{ $$ = TWO(HEAD, @$, $1, $2); }
	;

clauses
	: clause				{ $$ = ONE(FILE, @$, $1); }
	| clauses clause			{ $$ = node_add($1, $2); }
	;

/* A port after an end is that end's: of the source after `from`, of the destination after `to` and alone. */
clause
	: "from" value end_port			{ $$ = TWO(FROM, @$, $2, $3); }
	| "to" value end_port			{ $$ = TWO(TO, @$, $2, $3); }
	| "port" value				{ $$ = ONE(PORT, @$, $2); }
	| "on" value				{ $$ = ONE(ON, @$, $2); }
	| "flags" words				{ $$ = ONE(FLAGS, @$, $2); }
	| "flags" words '/' words		{ $$ = TWO(FLAGS, @$, $2, $4); }
	| "payload" REGEX payload_end		{ $$ = TWO(PAYLOAD, @$, TEXT(REGEX, @2, $2), $3); }
	| "payload" name payload_end		{ $$ = TWO(PAYLOAD, @$, $2, $3); }
	;
end_port
	: %empty	%prec LOW		{ $$ = NULL; }
	| "port" value				{ $$ = ONE(PORT, @$, $2); }
	;

payload_end
	: %empty				{ $$ = NULL; }
	| "within" value			{ $$ = ONE(WITHIN, @$, $2); }
	;

words
	: NAME					{ $$ = ONE(WORDS, @$, TEXT(NAME, @1, $1)); }
	| words '+' NAME			{ $$ = node_add($1, TEXT(NAME, @3, $3)); }
	;

/* --- reflexes ------------------------------------------------------------------------------- */

reflex_items
	: %empty				{ $$ = NEW(FILE, @$); }
	| reflex_items reflex_item		{ $$ = MOVE($1, $2); }
	| reflex_items "end of line"
	| reflex_items error "end of line"	{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| reflex_items error '{' junk '}' "end of line" { $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
reflex_item
	: "match" selector			{ $$ = ONE(FILE, @$, ONE(MATCH, @$, $2)); }
	| "when" NAME '>' value pers
		{ $$ = ONE(FILE, @$, MOVE(node_add(TEXT(WHEN, @$, $2), $4), $5)); }
	| "when" NAME per '>' value pers
		{ $$ = ONE(FILE, @$, MOVE(node_add(node_add(TEXT(WHEN, @$, $2), $3), $5), $6)); }
	| "when" "exceeds" name			{ $$ = ONE(FILE, @$, ONE(EXCEEDS, @$, $3)); }
	| "do" effects				{ $$ = $2; }
	| "except" "in" names			{ $$ = ONE(FILE, @$, MOVE(NEW(EXCEPT, @$), $3)); }
	;
effects
	: effect				{ $$ = ONE(FILE, @$, $1); }
	| effects ',' effect			{ $$ = node_add($1, $3); }
	;
effect
	: verdict				{ $$ = SAME(ACTION, @$, $1); }
	| verdict value "for" value		{ $$ = node_add(node_add(SAME(ACTION, @$, $1), $2), $4); }
	| "emit" NAME sample			{ $$ = node_add(TEXT(EMIT, @$, $2), $3); }
	| effect_name
	;
effect_name
	: NAME arguments				{ $$ = MOVE(TEXT(PHRASE, @$, $1), $2); }
	;
names
	: name					{ $$ = ONE(FILE, @$, $1); }
	| names ',' name			{ $$ = node_add($1, $3); }
	;

/* --- tests ---------------------------------------------------------------------------------- */

tests
	: %empty				{ $$ = NEW(FILE, @$); }
	| tests test_item			{ $$ = node_add($1, $2); }
	;
test_item
	: "posture" name "end of line"		{ $$ = ONE(IN_POSTURE, span_join(@1, @2), $2); }
	| packet "=>" expect "end of line"	{ $$ = TWO(CASE, span_join(@1, @3), $1, $3); }
	| "forall" selector "=>" expect "end of line"
		{ $$ = TWO(FORALL, span_join(@1, @4), $2, $4); }
	| "forall" direction selector "=>" expect "end of line"
		{ $$ = node_add(TWO(FORALL, span_join(@1, @5), $2, $3), $5); }
	| "after" value "end of line"		{ $$ = ONE(AFTER, span_join(@1, @2), $2); }
	| "todo" STRING "end of line"		{ $$ = ONE(TODO, span_join(@1, @2), TEXT(STRING, @2, $2)); }
	| "refuses" NAME '{' file '}' "end of line"
		{ $$ = MOVE(TEXT(REFUSES, span_join(@1, @5), $2), $4); }
	| "table" packet '{' header rows '}' "end of line"
		{ $$ = MOVE(TWO(TABLE, span_join(@1, @6), $2, $4), $5); }
	| NUMBER '*' '(' packet ')' within "=>" expect "end of line"
		{ $$ = grammar_case(p, span_join(@1, @8), TEXT(NUMBER, @1, $1), $4, $6, $8); }
	| QUANTITY '*' '(' packet ')' within "=>" expect "end of line"
		{ $$ = grammar_case(p, span_join(@1, @8), TEXT(QUANTITY, @1, $1), $4, $6, $8); }
	| error "end of line"			{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	| error '{' junk '}' "end of line"	{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	;

/* A table's first line names its columns; the names stand in the packet. */
header	: cells "end of line"			{ $$ = $1; }
	;
rows
	: %empty				{ $$ = NEW(FILE, @$); }
	| rows row				{ $$ = node_add($1, $2); }
	| rows error "end of line"		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
row	: cells "=>" expect "end of line"	{ $$ = node_add($1, $3); }
	;
cells
	: cell					{ $$ = ONE(ROW, @$, $1); }
	| cells cell				{ $$ = node_add($1, $2); }
	;
cell
	: name
	| "self"				{ $$ = NEW(SELF, @$); }
	| NUMBER				{ $$ = TEXT(NUMBER, @$, $1); }
	| ADDRESS				{ $$ = TEXT(ADDRESS, @$, $1); }
	| STRING				{ $$ = TEXT(STRING, @$, $1); }
	;

within	: %empty				{ $$ = NULL; }
	| "in" value				{ $$ = ONE(WITHIN, @$, $2); }
	;

packet
	: name packet_end "->" packet_end packet_words
		{ $$ = MOVE(node_add(TWO(PACKET, @$, ONE(HEAD, @1, $1), $2), $4), $5); }
	| name kind packet_end "->" packet_end packet_words
		{ $$ = MOVE(node_add(TWO(PACKET, @$, TWO(HEAD, span_join(@1, @2), $1, $2), $3), $5), $6); }
	;
kind
	: name
	| NUMBER				{ $$ = TEXT(NUMBER, @$, $1); }
	| NUMBER '/' NUMBER			{ $$ = TWO(PART, @$, TEXT(NUMBER, @1, $1), TEXT(NUMBER, @3, $3)); }
	;
packet_end
	: packet_address			{ $$ = ONE(END, @$, $1); }
	| packet_address ':' packet_port	{ $$ = TWO(END, @$, $1, $3); }
	;
packet_address
	: ADDRESS				{ $$ = TEXT(ADDRESS, @$, $1); }
	| '[' ADDRESS ']'			{ $$ = TEXT(ADDRESS, @2, $2); }
	| "self"				{ $$ = NEW(SELF, @$); }
	| "any"					{ $$ = NEW(ANY, @$); }
	| name
	;
packet_port
	: NUMBER				{ $$ = TEXT(NUMBER, @$, $1); }
	| name
	;
packet_words
	: %empty				{ $$ = NEW(FILE, @$); }
	| packet_words words			{ $$ = node_add($1, $2); }
	| packet_words direction		{ $$ = node_add($1, $2); }
	| packet_words "on" name		{ $$ = node_add($1, ONE(ON, span_join(@2, @3), $3)); }
	| packet_words QUANTITY			{ $$ = node_add($1, TEXT(QUANTITY, @2, $2)); }
	| packet_words "payload" STRING
		{ $$ = node_add($1, ONE(PAYLOAD, span_join(@2, @3), TEXT(STRING, @3, $3))); }
	;

expect
	: last verdict by			{ $$ = TWO(EXPECT, @$, $1, $3); $$->word = $2->word; }
	| expect ',' "emits" NAME		{ $$ = node_add($1, TEXT(EMIT, @4, $4)); }
	;
last	: %empty				{ $$ = NULL; }
	| "last"				{ $$ = NEW(LAST, @$); }
	;
by	: %empty				{ $$ = NULL; }
	| "by" by_name				{ $$ = $2; }
	;
by_name
	: NAME					{ $$ = TEXT(BY, @$, $1); }
	| DOTTED				{ $$ = TEXT(BY, @$, $1); }
	| ANONYMOUS				{ $$ = TEXT(BY, @$, $1); }
	| "default"				{ $$ = TEXT(BY, @$, "default"); }
	| "lifeline"				{ $$ = TEXT(BY, @$, "lifeline"); }
	;

/* --- claims ------------------------------------------------------------------------------- */

claims
	: %empty				{ $$ = NEW(FILE, @$); }
	| claims claim "end of line"		{ $$ = node_add($1, $2); }
	| claims error "end of line"		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| claims error '{' junk '}' "end of line" { $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
claim
	: "in" scope ':' selector "is" NAME
		{ $$ = node_add(node_add(TEXT(CLAIM, @$, $6), $2), $4); }
	| "in" scope ':' direction selector "is" NAME
		{ $$ = node_add(node_add(node_add(TEXT(CLAIM, @$, $7), $2), $4), $5); }
	;
scope
	: value					{ $$ = ONE(SCOPE, @$, $1); }
	| NAME "posture"			{ $$ = TEXT(SCOPE, @$, $1); }
	;
orders
	: name					{ $$ = ONE(FILE, @$, $1); }
	| orders "<=" name			{ $$ = node_add($1, $3); }
	;

/* --- phrases: a word and its arguments ------------------------------------------------------ */

phrase_lines
	: %empty				{ $$ = NEW(FILE, @$); }
	| phrase_lines phrase "end of line"	{ $$ = node_add($1, $2); }
	| phrase_lines error "end of line"	{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| phrase_lines error '{' junk '}' "end of line"
		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
phrase	: phrase_word arguments			{ $$ = MOVE(TEXT(PHRASE, @$, $1), $2); } ;
phrase_word
	: NAME
	| "block"
	| "posture"
	| "service"
	| "port"
	;
arguments
	: %empty				{ $$ = NULL; }
	| arguments argument				{ $$ = node_add($1 ? $1 : NEW(FILE, @2), $2); }
	;
argument
	: value
	| value relop value			{ $$ = node_add(node_add(TEXT(COMPARE, @$, $2), $1), $3); }
	| keyword				{ $$ = TEXT(KEYWORD, @$, $1); }
	| record
	;
keyword	: "for" | "to" | "from" | "per" | "in" | "on" | "out" | "by" | "within" | "else" | "block" | "port" ;
relop
	: '<'					{ $$ = "<"; }
	| "<="					{ $$ = "<="; }
	| "=="					{ $$ = "=="; }
	| "!="					{ $$ = "!="; }
	| ">="					{ $$ = ">="; }
	| '>'					{ $$ = ">"; }
	;
record
	: '{' '}'				{ $$ = NEW(RECORD, @$); }
	| '{' fields "end of line" '}'		{ $$ = MOVE(NEW(RECORD, @$), $2); }
	;
fields
	: NAME ':' value			{ $$ = ONE(FILE, @$, node_add(TEXT(FIELD, @$, $1), $3)); }
	| fields ',' NAME ':' value		{ $$ = node_add($1, node_add(TEXT(FIELD, span_join(@3, @5), $3), $5)); }
	| fields "end of line" NAME ':' value	{ $$ = node_add($1, node_add(TEXT(FIELD, span_join(@3, @5), $3), $5)); }
	;

/* --- conditions ------------------------------------------------------------------------------- */

condition
	: value
	| test
	;
test
	: relation span				{ $$ = node_add($1, $2); }
	| '(' test ')'				{ $$ = $2; }
	| "not" condition			{ $$ = ONE(NOT, @$, $2); }
	| "not" "from" value			{ $$ = ONE(NOT, @$, ONE(FROM, @3, $3)); }
	| "not" "to" value			{ $$ = ONE(NOT, @$, ONE(TO, @3, $3)); }
	| condition "and" condition		{ $$ = grammar_both(p, @$, NODE_AND, $1, $3); }
	| condition "or" condition		{ $$ = grammar_both(p, @$, NODE_OR, $1, $3); }
	;
relation
	: value relop value			{ $$ = node_add(node_add(TEXT(COMPARE, @$, $2), $1), $3); }
	| NAME '(' value ')' relop value
		{ $$ = node_add(node_add(TEXT(COMPARE, @$, $5), node_add(TEXT(CALL, span_join(@1, @4), $1), $3)), $6); }
	;
span	: %empty				{ $$ = NULL; }
	| "within" value			{ $$ = ONE(WITHIN, @$, $2); }
	| "for" value				{ $$ = ONE(LASTS, @$, $2); }
	;

/* --- sessions, incidents, regulation ----------------------------------------------------------- */

senses
	: %empty				{ $$ = NEW(FILE, @$); }
	| senses sense "end of line"		{ $$ = node_add($1, $2); }
	| senses error "end of line"		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| senses error '{' junk '}' "end of line" { $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
sense
	: "when" condition "do" effects		{ $$ = MOVE(ONE(SENSE, @$, ONE(WHERE, @2, $2)), $4); }
	| label "when" condition "do" effects	{ $$ = MOVE(TWO(SENSE, @$, $1, ONE(WHERE, @3, $3)), $5); }
	| effect_name "do" effects		{ $$ = MOVE(ONE(SENSE, @$, $1), $3); }
	| label effect_name "do" effects	{ $$ = MOVE(TWO(SENSE, @$, $1, $2), $4); }
	;

params
	: %empty				{ $$ = NULL; }
	| some_params
	;
some_params
	: parameter				{ $$ = ONE(FILE, @$, $1); }
	| some_params ',' parameter		{ $$ = node_add($1, $3); }
	;
parameter
	: name ':' type				{ $$ = TWO(PARAM, @$, $1, $3); }
	| name ':' type '=' value		{ $$ = node_add(TWO(PARAM, @$, $1, $3), $5); }
	;
steps
	: %empty				{ $$ = NEW(FILE, @$); }
	| steps step "end of line"		{ $$ = node_add($1, $2); }
	| steps error "end of line"		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| steps error '{' junk '}' "end of line" { $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
step
	: phrase
	| "budget" budget			{ $$ = MOVE(NEW(BUDGET, @$), $2); }
	| "phase" name '{' steps '}'		{ $$ = MOVE(ONE(PHASE, @$, $2), $4); }
	| "parallel" '{' steps '}'		{ $$ = MOVE(NEW(PARALLEL, @$), $3); }
	| "if" condition '{' steps '}'
		{ $$ = TWO(IF, @$, $2, MOVE(NEW(THEN, span_join(@3, @5)), $4)); }
	| "if" condition '{' steps '}' "else" '{' steps '}'
		{ $$ = grammar_if(p, @$, $2, MOVE(NEW(THEN, span_join(@3, @5)), $4),
				  MOVE(NEW(ELSE, span_join(@7, @9)), $8)); }
	| "on" name '{' steps '}'		{ $$ = MOVE(ONE(FAILURE, @$, $2), $4); }
	;
budget
	: phrase				{ $$ = ONE(FILE, @$, $1); }
	| budget ',' phrase			{ $$ = node_add($1, $3); }
	;
/* `run NAME(...)`; a playbook is run, nothing else is. */
call
	: NAME name '(' calls ')'		{ $$ = grammar_run(p, @$, @1, $1, $2, $4); }
	;
calls
	: %empty				{ $$ = NULL; }
	| some_values				{ $$ = $1; }
	;
regulations
	: %empty				{ $$ = NEW(FILE, @$); }
	| regulations regulation "end of line"	{ $$ = node_add($1, $2); }
	| regulations error "end of line"	{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| regulations error '{' junk '}' "end of line" { $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
regulation
	: "when" condition phrase			{ $$ = TWO(REGULATION, @$, ONE(WHERE, @2, $2), $3); }
	| "when" condition phrase "until" condition
		{ $$ = node_add(TWO(REGULATION, @$, ONE(WHERE, @2, $2), $3), ONE(UNTIL, @5, $5)); }
	;

/* --- values ---------------------------------------------------------------------------------- */

value
	: name
	| DOTTED				{ $$ = TEXT(NAME, @$, $1); }
	| STRING				{ $$ = TEXT(STRING, @$, $1); }
	| NUMBER				{ $$ = TEXT(NUMBER, @$, $1); }
	| QUANTITY				{ $$ = TEXT(QUANTITY, @$, $1); }
	| ADDRESS				{ $$ = TEXT(ADDRESS, @$, $1); }
	| "any"					{ $$ = NEW(ANY, @$); }
	| "self"				{ $$ = NEW(SELF, @$); }
	| list
	| '(' value ')'				{ $$ = $2; }
	| value '+' value			{ $$ = grammar_binary(p, @$, NODE_JOIN, $1, $3); }
	| value '-' value			{ $$ = grammar_binary(p, @$, NODE_MINUS, $1, $3); }
	| value '&' value			{ $$ = grammar_binary(p, @$, NODE_MEET, $1, $3); }
	| value '/' value			{ $$ = grammar_binary(p, @$, NODE_PART, $1, $3); }
	| value ".." value			{ $$ = grammar_binary(p, @$, NODE_RANGE, $1, $3); }
	;
list
	: '[' ']'				{ $$ = NEW(LIST, @$); }
	| '[' some_values ']'			{ $$ = MOVE(NEW(LIST, @$), $2); }
	| '[' some_values ',' ']'		{ $$ = MOVE(NEW(LIST, @$), $2); }
	;
some_values
	: value					{ $$ = ONE(LIST, @$, $1); }
	| some_values ',' value			{ $$ = node_add($1, $3); }
	;

%%

static int yyreport_syntax_error(const yypcontext_t *at, struct parser *parser)
{
	yysymbol_kind_t kinds[EXPECTED_MAX];
	const char *expected[EXPECTED_MAX];
	int n = yypcontext_expected_tokens(at, kinds, EXPECTED_MAX);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		expected[i] = yysymbol_name(kinds[i]);
	grammar_complain(parser, *yypcontext_location(at), expected, (size_t)n);
	return 0;
}

static void yyerror(struct span *at, struct parser *parser, const char *message)
{
	grammar_overflow(parser, *at, message);
}
