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

#define NEW(kind, at)		node_new(p->arena, NODE_##kind, at)
#define TEXT(kind, at, text)	node_text(p->arena, NODE_##kind, at, text)
#define WORD(kind, at, word)	node_word(p->arena, NODE_##kind, at, word)
#define ONE(kind, at, x)	node_of1(p->arena, NODE_##kind, at, x)
#define TWO(kind, at, x, y)	node_of2(p->arena, NODE_##kind, at, x, y)
}

%token A_FILE "policy text" A_VALUE "value text"
%token NEWLINE "end of line" ERROR "unreadable text"
%token <text> NAME "name" DOTTED "dotted name" ANONYMOUS "rule id" LATER "later construct" LATER_CLAUSE "later clause"
%token <text> NUMBER "number" QUANTITY "quantity" ADDRESS "address" STRING "string"
%token YIELDS "=>" ARROW "->" UPTO ".."

%token POLICY "policy" IMPORT "import" PARAM "param" ZONE "zone" NET "net" SERVICE "service"
%token LIFELINE "lifeline" BLOCK "block" POSTURE "posture" EXTENDS "extends" DEFAULT "default"
%token INITIAL "initial" REFLEX "reflex" MATCH "match" WHEN "when" DO "do" EXCEPT "except" TEST "test"
%token ALLOW "allow" DROP "drop" REJECT "reject" IN "in" OUT "out" FORWARD "forward"
%token FROM "from" TO "to" PORT "port" ON "on" FLAGS "flags" ANY "any" SELF "self"
%token PER "per" FOR "for" BY "by" LAST "last"

/* Sets: & before + and -, as * before +; a range is one thing, and so are `tcp/8000..8010` and `icmpv6/1/4`. */
%nonassoc LOW
%nonassoc "port"
%left '+' '-'
%left '&'
%right '/'
%nonassoc ".."

%type <node> file item declaration settings setting title lifelines lifeline_line lifeline
%type <node> posture_items posture_item extends rule verdict direction selector head clauses clause
%type <node> end_port reflex_items reflex_item actions action names name words tests test_item packet
%type <node> packet_words packet_end packet_address packet_port kind within expect last by by_name value list
%type <node> some_values type label
%type <text> opt_text

%%

input
	: "policy text" file			{ p->out->root = $2; }
	| "value text" value "end of line"	{ p->out->root = $2; }
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
		{ $$ = node_move(ONE(POSTURE, @$, grammar_named_hole(p, $2)), $5); yyerrok; }
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
	| "policy" name title '{' settings '}'		{ $$ = node_move(TWO(POLICY, @$, $2, $3), $5); }
	| "import" STRING				{ $$ = ONE(IMPORT, @$, TEXT(STRING, @2, $2)); }
	| "param" name ':' type				{ $$ = TWO(PARAM, @$, $2, $4); }
	| "param" name ':' type '=' value		{ $$ = node_add(TWO(PARAM, @$, $2, $4), $6); }
	| "zone" name '=' value				{ $$ = TWO(ZONE, @$, $2, $4); }
	| "net" name '=' value				{ $$ = TWO(NET, @$, $2, $4); }
	| "service" name '=' value			{ $$ = TWO(SERVICE, @$, $2, $4); }
	| "lifeline" '{' lifelines '}'			{ $$ = node_move(NEW(LIFELINE, @$), $3); }
	| "block" value					{ $$ = ONE(BLOCK, @$, $2); }
	| "block" value "on" value			{ $$ = TWO(BLOCK, @$, $2, ONE(ON, @4, $4)); }
	| label "block" value				{ $$ = TWO(BLOCK, @$, $1, $3); }
	| label "block" value "on" value		{ $$ = node_add(TWO(BLOCK, @$, $1, $3), ONE(ON, @5, $5)); }
	| "posture" name title extends '{' posture_items '}'
		{ $$ = node_move(node_add(TWO(POSTURE, @$, $2, $3), $4), $6); }
	| "initial" "posture" name			{ $$ = ONE(INITIAL, @$, $3); }
	| "reflex" name '{' reflex_items '}'		{ $$ = node_move(ONE(REFLEX, @$, $2), $4); }
	| "test" STRING '{' tests '}'			{ $$ = node_move(ONE(TEST, @$, TEXT(TITLE, @2, $2)), $4); }
	| LATER						{ $$ = grammar_hole(p, @$, TEXT(NAME, @$, $1)); }
	| LATER_CLAUSE					{ $$ = grammar_hole(p, @$, TEXT(NAME, @$, $1)); }
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
	| LATER "end of line"				{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); }
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
	| rule "end of line"
	| LATER "end of line"				{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); }
	| label LATER "end of line"			{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); }
	| error "end of line"				{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	| error '{' junk '}' "end of line"		{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	;

rule
	: verdict selector				{ $$ = node_add(WORD(RULE, @$, $1->word), $2); }
	| verdict direction selector			{ $$ = node_add(node_add(WORD(RULE, @$, $1->word), $2), $3); }
	| label verdict selector			{ $$ = node_add(node_add(WORD(RULE, @$, $2->word), $1), $3); }
	| label verdict direction selector		{ $$ = node_add(node_add(node_add(WORD(RULE, @$, $2->word), $1), $3), $4); }
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
	| head clauses				{ $$ = node_move(ONE(SELECTOR, @$, $1), $2); }
	| clauses				{ $$ = node_move(NEW(SELECTOR, @$), $1); }
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
	| LATER_CLAUSE				{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); }
	;
end_port
	: %empty	%prec LOW		{ $$ = NULL; }
	| "port" value				{ $$ = ONE(PORT, @$, $2); }
	;

words
	: NAME					{ $$ = ONE(WORDS, @$, TEXT(NAME, @1, $1)); }
	| words '+' NAME			{ $$ = node_add($1, TEXT(NAME, @3, $3)); }
	;

/* --- reflexes ------------------------------------------------------------------------------- */

reflex_items
	: %empty				{ $$ = NEW(FILE, @$); }
	| reflex_items reflex_item		{ $$ = node_move($1, $2); }
	| reflex_items "end of line"
	| reflex_items error "end of line"	{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	| reflex_items error '{' junk '}' "end of line" { $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); yyerrok; }
	;
reflex_item
	: "match" selector			{ $$ = ONE(FILE, @$, ONE(MATCH, @$, $2)); }
	| "when" NAME "per" value '>' value	{ $$ = ONE(FILE, @$, node_add(node_add(TEXT(WHEN, @$, $2), $4), $6)); }
	| "when" NAME "per" value '>' value "per" value
		{ $$ = ONE(FILE, @$, node_add(node_add(node_add(TEXT(WHEN, @$, $2), $4), $6), $8)); }
	| "when" LATER				{ $$ = ONE(FILE, @$, grammar_hole(p, @$, NEW(NAME, @$))); }
	| "do" actions				{ $$ = $2; }
	| "except" "in" names			{ $$ = ONE(FILE, @$, node_move(NEW(EXCEPT, @$), $3)); }
	| LATER					{ $$ = ONE(FILE, @$, grammar_hole(p, @$, NEW(NAME, @$))); }
	;
actions
	: action				{ $$ = ONE(FILE, @$, $1); }
	| actions ',' action			{ $$ = node_add($1, $3); }
	;
action
	: verdict				{ $$ = WORD(ACTION, @$, $1->word); }
	| verdict NAME "for" value		{ $$ = node_add(node_add(WORD(ACTION, @$, $1->word), TEXT(NAME, @2, $2)), $4); }
	| LATER					{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); }
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
	| NUMBER '*' '(' packet ')' within "=>" expect "end of line"
		{ $$ = grammar_case(p, span_join(@1, @8), TEXT(NUMBER, @1, $1), $4, $6, $8); }
	| QUANTITY '*' '(' packet ')' within "=>" expect "end of line"
		{ $$ = grammar_case(p, span_join(@1, @8), TEXT(QUANTITY, @1, $1), $4, $6, $8); }
	| LATER "end of line"			{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); }
	| error "end of line"			{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	| error '{' junk '}' "end of line"	{ $$ = grammar_hole(p, @$, NEW(NAME, @$)); yyerrok; }
	;

within	: %empty				{ $$ = NULL; }
	| "in" value				{ $$ = ONE(WITHIN, @$, $2); }
	;

packet
	: name packet_end "->" packet_end packet_words
		{ $$ = node_move(node_add(TWO(PACKET, @$, ONE(HEAD, @1, $1), $2), $4), $5); }
	| name kind packet_end "->" packet_end packet_words
		{ $$ = node_move(node_add(TWO(PACKET, @$, TWO(HEAD, span_join(@1, @2), $1, $2), $3), $5), $6); }
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
	| packet_words LATER_CLAUSE		{ $$ = node_add($1, grammar_hole(p, @2, NEW(NAME, @2))); }
	;

expect
	: last verdict by			{ $$ = TWO(EXPECT, @$, $1, $3); $$->word = $2->word; }
	| expect ',' LATER			{ $$ = node_add($1, grammar_hole(p, @3, NEW(NAME, @3))); }
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
	| '[' some_values ']'			{ $$ = node_move(NEW(LIST, @$), $2); }
	| '[' some_values ',' ']'		{ $$ = node_move(NEW(LIST, @$), $2); }
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
