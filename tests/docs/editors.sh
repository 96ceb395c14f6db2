#!/bin/bash
# The grammars of editors know every word of the language, and Neovim's own client gets on with tegc lsp.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

ok() {
	local rc=$?
	n=$((n + 1))
	[ $rc = 0 ] && { echo "ok $n - $1"; return; }
	echo "not ok $n - $1"
	sed 's/^/# /' "${2:-/dev/null}"
}
same_list() { diff <(sort -u "$1") <(sort -u "$2") > "$tmp/differ"; }

sed -n 's/^WORD([A-Z]*, "\([a-z]*\)".*/\1/p; s/^INNER([A-Z]*, [A-Z]*, "\([a-z]*\)").*/\1/p' lang/vocab/word.def > "$tmp/words"
sed -n '/^syn keyword tegWord/,/^syn keyword tegVerdict/p' lang/editors/vim/syntax/teg.vim | grep -v tegVerdict |
	sed 's/^syn keyword tegWord//; s/\\//' | xargs -n1 > "$tmp/vim"
same_list "$tmp/words" "$tmp/vim"; ok "Vim's syntax has the words of word.def, and no other" "$tmp/differ"
code=lang/editors/vscode
jq -r '.patterns[] | select(.name == "keyword.control.teg") | .match' $code/syntaxes/teg.tmLanguage.json |
	sed 's/^([^)]*)(//; s/).*//' | tr '|' '\n' > "$tmp/textmate"
same_list "$tmp/words" "$tmp/textmate"; ok "the TextMate grammar has them too" "$tmp/differ"
for f in $(jq -r '.contributes.languages[].configuration, .contributes.grammars[].path' $code/package.json); do
	jq -e . "$code/$f" > "$tmp/out" 2>&1; ok "package.json: $f is there, and JSON" "$tmp/out"
done

if ! command -v nvim >/dev/null; then
	echo "ok $((n + 1)) - Neovim's client # SKIP nvim is not installed (apt-get install neovim)"
	echo "1..$((n + 1))"
	exit 0
fi
cp tests/docs/editors.teg "$tmp/edge.teg"
cp tests/docs/editors.teg "$tmp/other.teg"
run_nvim() { HOME=$tmp XDG_RUNTIME_DIR=$tmp TEGC="$PWD/${BUILD:-build}/tegc" timeout 60 nvim --headless --clean -n --cmd "set rtp^=$PWD/lang/editors/vim,$tmp/nvim" "$@" > "$tmp/out" 2>&1; }
# What the script said: a claim, what it got and what it wanted, on a line each.
asked() {
	while IFS=$'\t' read -r claim got want; do
		echo "expected: $want, got: $got" > "$tmp/differ"
		[ "$got" = "$want" ]; ok "Neovim: $claim" "$tmp/differ"
	done < <(grep -a $'\t' "$tmp/out" | tr -d '\r')
	grep -qa '^all asked' "$tmp/out"; ok "Neovim: all was asked" "$tmp/out"
}

# As docs/editors.md says.
tree=lang/editors/tree-sitter
mkdir -p "$tmp/nvim/parser" "$tmp/nvim/queries/teg"
cc -shared -fPIC -O2 -o "$tmp/nvim/parser/teg.so" $tree/src/parser.c > "$tmp/out" 2>&1; ok "the grammar for tree-sitter compiles by itself" "$tmp/out"
cp $tree/queries/*.scm "$tmp/nvim/queries/teg"
run_nvim "$tmp/edge.teg" -c "luafile tests/docs/editors_tree.lua" -c 'qa!'
asked
run_nvim "$tmp/edge.teg" -c "luafile tests/docs/editors.lua" -c 'qa!'
asked
cmp -s <("${BUILD:-build}/tegc" fmt - < "$tmp/other.teg") "$tmp/edge.teg"; ok "Neovim: what it wrote is what fmt writes" "$tmp/edge.teg"
echo "1..$n"
