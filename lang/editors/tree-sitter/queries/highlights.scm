; Each node has one colour: which of two patterns wins differs between editors.
; What a name stands for comes from the language server (semantic tokens).

[
  "after" "allow" "and" "block" "budget" "by" "decoy" "default" "derme" "do" "drop" "else" "emit" "emits"
  "exceeds" "except" "extends" "feed" "flags" "for" "forall" "forward" "from" "homeostasis" "if" "import" "in"
  "initial" "invariant" "is" "last" "lifeline" "limit" "log" "malformed" "match" "net" "not" "on" "or" "order" "out"
  "parallel" "param" "payload" "per" "phase" "playbook" "policy" "port" "posture" "reflex" "refuses" "reject"
  "run" "service" "shared" "table" "test" "to" "todo" "until" "when" "where" "within" "without" "zone"
] @keyword

[(any) (self)] @constant.builtin
(word) @function.builtin
(type) @type.builtin
(label [(name) (rule_id)] @label)
(by [(name) (dotted_name) (rule_id)] @label)
(claim outcome: (name) @keyword)

(policy name: (name) @module)
(setting name: (name) @property)
(option name: (name) @property)
(sample name: (name) @property)
(field name: (name) @property)
(param name: (name) @variable.parameter)
(parameter name: (name) @variable.parameter)
(zone name: (name) @constant)
(net name: (name) @constant)
(service name: (name) @constant)
(limit_declaration name: (name) @constant)
(feed name: (name) @constant)
(posture name: (name) @type)
(posture extends: (name) @type)
(initial name: (name) @type)
(in_posture name: (name) @type)
(order (name) @type)
(reflex name: (name) @function)
(decoy name: (name) @function)
(playbook name: (name) @function)
(invariant name: (name) @function)
(call playbook: (name) @function)
(measure name: (name) @function.builtin)
(flags (name) @constant.builtin)
(packet protocol: (name) @type.builtin)

(string) @string
(escape) @string.escape
(regex) @string.regexp
[(number) (quantity)] @number
(address) @constant
(comment) @comment

["+" "-" "&" "/" "*" ".." "=" "==" "!=" "<" "<=" ">" ">=" "=>" "->"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":"] @punctuation.delimiter
