" Tegumentar policies. What each name is comes from the language server (semantic tokens).
if exists("b:current_syntax")
  finish
endif
syn case match
syn iskeyword @,48-57,_,-

syn keyword tegWord after allow and any block budget by decoy default derme do drop else emit emits exceeds
      \ except extends feed flags for forall forward from homeostasis if import in initial
      \ invariant is last lifeline limit log malformed match net not on or order out parallel param payload
      \ per phase playbook policy port posture reflex refuses reject self service shared table
      \ test to todo until when where within without zone
syn keyword tegVerdict allow drop reject allowed dropped
syn keyword tegWhere any self
syn match tegLabel "^\s*\zs[A-Za-z_][A-Za-z0-9_-]*\ze:\%(\s\|$\)"
syn match tegNumber "\<\d\+\%(\.\d\+\)\=\%([A-Za-z]\+\|%\)\=\>"
syn match tegAddress "\<\d\+\%(\.\d\+\)\{3}\%(/\d\+\)\="
syn match tegAddress "\<\x*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\%(/\d\+\)\="
syn match tegEscape "\\\%([\"\\ntr]\|x\x\x\)" contained
syn region tegString start=+"+ skip=+\\.+ end=+"+ oneline contains=tegEscape
syn match tegPattern "\%(payload\s\+\)\@<=/\%([^/\\]\|\\.\)*/[a-z]*"
syn match tegComment "#.*$" contains=@Spell

hi def link tegWord Keyword
hi def link tegVerdict Statement
hi def link tegWhere Constant
hi def link tegLabel Label
hi def link tegNumber Number
hi def link tegAddress Constant
hi def link tegEscape SpecialChar
hi def link tegString String
hi def link tegPattern String
hi def link tegComment Comment

let b:current_syntax = "teg"
