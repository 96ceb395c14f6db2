#!/bin/bash
# The grammars of editors know every word of the language, and Neovim's own client gets on with tegc lsp.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

same_list() { diff <(sort -u "$1") <(sort -u "$2") > "$dir/differ"; }

sed -n 's/^WORD([A-Z]*, "\([a-z]*\)".*/\1/p; s/^INNER([A-Z]*, [A-Z]*, "\([a-z]*\)").*/\1/p' lang/vocab/word.def > "$dir/words"
sed -n '/^syn keyword tegWord/,/^syn keyword tegVerdict/p' lang/editors/vim/syntax/teg.vim | grep -v tegVerdict |
	sed 's/^syn keyword tegWord//; s/\\//' | xargs -n1 > "$dir/vim"
same_list "$dir/words" "$dir/vim"; ok "Vim's syntax has the words of word.def, and no other" "$dir/differ"
code=lang/editors/vscode
jq -r '.patterns[] | select(.name == "keyword.control.teg") | .match' $code/syntaxes/teg.tmLanguage.json |
	sed 's/^([^)]*)(//; s/).*//' | tr '|' '\n' > "$dir/textmate"
same_list "$dir/words" "$dir/textmate"; ok "the TextMate grammar has them too" "$dir/differ"
for f in $(jq -r '.contributes.languages[].configuration, .contributes.grammars[].path' $code/package.json); do
	jq -e . "$code/$f" > "$dir/out" 2>&1; ok "package.json: $f is there, and JSON" "$dir/out"
done

if ! command -v nvim >/dev/null; then
	skip "Neovim's client" "nvim is not installed (apt-get install neovim)"
	echo "1..$n"
	exit 0
fi
cp tests/docs/editors.teg "$dir/edge.teg"
cp tests/docs/editors.teg "$dir/other.teg"
run_nvim() { HOME=$dir XDG_RUNTIME_DIR=$dir TEGC="$tegc" timeout 600 nvim --headless --clean -n --cmd "set rtp^=$PWD/lang/editors/vim,$dir/nvim" "$@" > "$dir/out" 2>&1; }
# What the script said: a claim, what it got and what it wanted, on a line each.
asked() {
	while IFS=$'\t' read -r claim got want; do
		echo "expected: $want, got: $got" > "$dir/differ"
		[ "$got" = "$want" ]; ok "Neovim: $claim" "$dir/differ"
	done < <(grep -a $'\t' "$dir/out" | tr -d '\r')
	grep -qa '^all asked' "$dir/out"; ok "Neovim: all was asked" "$dir/out"
}

# As docs/editors.md says.
tree=lang/editors/tree-sitter
mkdir -p "$dir/nvim/parser" "$dir/nvim/queries/teg"
cc -shared -fPIC -O2 -o "$dir/nvim/parser/teg.so" $tree/src/parser.c > "$dir/out" 2>&1; ok "the grammar for tree-sitter compiles by itself" "$dir/out"
cp $tree/queries/*.scm "$dir/nvim/queries/teg"
run_nvim "$dir/edge.teg" -c "luafile tests/docs/editors_tree.lua" -c 'qa!'
asked
run_nvim "$dir/edge.teg" -c "luafile tests/docs/editors.lua" -c 'qa!'
asked
cmp -s <("$tegc" fmt - < "$dir/other.teg") "$dir/edge.teg"; ok "Neovim: what it wrote is what fmt writes" "$dir/edge.teg"
echo "1..$n"
