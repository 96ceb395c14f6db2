" Four spaces for each open bracket, as tegc fmt writes.
if exists("b:did_indent")
  finish
endif
let b:did_indent = 1
setlocal indentexpr=TegIndent(v:lnum) indentkeys=0},0],0),o,O
let b:undo_indent = "setlocal indentexpr< indentkeys<"

function! s:opens(line)
  let line = substitute(a:line, '"\%([^"\\]\|\\.\)*"', '', 'g')
  let line = substitute(line, '#.*', '', '')
  return len(substitute(line, '[^{(\[]', '', 'g')) - len(substitute(line, '[^})\]]', '', 'g'))
endfunction

function! TegIndent(lnum)
  let before = prevnonblank(a:lnum - 1)
  if before == 0
    return 0
  endif
  let at = indent(before)
  let opens = s:opens(getline(before)) + (getline(before) =~ '^\s*[})\]]')
  if opens > 0
    let at += shiftwidth()
  elseif opens < 0
    let at -= shiftwidth()
  endif
  return getline(a:lnum) =~ '^\s*[})\]]' ? at - shiftwidth() : at
endfunction
