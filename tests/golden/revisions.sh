#!/bin/bash
# tegc diff of files, bundles and revisions of a git repository; git's own commands with tegc in them.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1
export HOME=$dir GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat NO_COLOR=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
# libgit2 has no frame pointers: what it loses (tests/lib/leaks) is known by who called it.
export ASAN_OPTIONS=fast_unwind_on_malloc=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}

repository=$dir/repository
git init -q "$repository" && cd "$repository" || exit 1
mkdir -p policies/nets
cat >policies/nets/office.teg <<'TEG'
net office = 203.0.113.0/24
TEG
cat >policies/edge.teg <<'TEG'
policy edge { version "1" }
import "nets/office.teg"
import "std/services.teg"
zone wan = "eth0"
posture OPEN {
    default drop
    ssh_in: allow tcp from office to self port 22
}
TEG
git add . && git commit -qm one && git tag first

tells 0 'proved: nothing changes' 'a revision and the working tree that is the same' \
	"$tegc" diff HEAD:policies/edge.teg policies/edge.teg

# Only what is imported changes: each side has to find its own.
echo 'net office = [203.0.113.0/24, 198.51.100.0/24]' >policies/nets/office.teg
tells 2 'OPENED
tcp over IPv4 from new office except old office to self port 22
policies/edge.teg:7 ssh_in
HEAD:policies/edge.teg' 'imports of a revision come from its tree' \
	"$tegc" diff --fail-on critical HEAD:policies/edge.teg policies/edge.teg
tells 0 'nothing changes' 'what is staged is not what lies in the working tree' \
	"$tegc" diff HEAD:policies/edge.teg :policies/edge.teg
git add .
tells 2 'OPENED
~ :policies/edge.teg:7' 'what is staged' "$tegc" diff --fail-on critical HEAD:policies/edge.teg :policies/edge.teg
git commit -qm two
tells 2 'CLOSED' 'two revisions, the other way round' "$tegc" diff HEAD:policies/edge.teg first:policies/edge.teg
tells 2 'OPENED' 'a revision by its message' "$tegc" diff --fail-on critical 'HEAD^{/one}:policies/edge.teg' HEAD:policies/edge.teg
cd policies || exit 1
tells 2 'OPENED' './ begins where one stands' "$tegc" diff --fail-on critical HEAD~1:./edge.teg edge.teg
tells 2 'OPENED' 'and so does ../' "$tegc" diff --fail-on critical HEAD~1:../policies/edge.teg edge.teg
cd ..

tells 66 'cannot open nowhere:policies/edge.teg' 'a revision that is not' "$tegc" diff nowhere:policies/edge.teg policies/edge.teg
tells 66 'there is no policies/none.teg in HEAD' 'a path that is not in a revision' "$tegc" diff HEAD:policies/none.teg policies/edge.teg
tells 66 'is a directory' 'a directory in a revision' "$tegc" diff HEAD:policies policies/edge.teg
tells 66 'there is no ../../etc/passwd in HEAD' 'a path that leaves the repository' "$tegc" diff HEAD:../../etc/passwd policies/edge.teg
cd "$dir" || exit 1
tells 66 "could not find repository" "outside of a repository" "$tegc" diff HEAD:edge.teg HEAD:edge.teg
cd "$repository" || exit 1

# A link in a revision leads to what the revision has.
git checkout -q -b links
ln -s policies/edge.teg linked.teg
ln -s loop.teg loop.teg
ln -s /etc/passwd out.teg
git add . && git commit -qm links
rm policies/nets/office.teg
tells 1 "there is no file \`nets/office.teg\`" 'a link is another place to import from' "$tegc" diff HEAD:linked.teg HEAD:linked.teg
tells 66 'there is no loop.teg in HEAD' 'a link to itself' "$tegc" diff HEAD:loop.teg HEAD:loop.teg
tells 66 'there is no out.teg in HEAD' 'a link out of the repository' "$tegc" diff HEAD:out.teg HEAD:out.teg
git checkout -q -f master 2>/dev/null || git checkout -q -f main
git clean -qfd

"$tegc" build policies/edge.teg -o edge.tegb
tells 0 'nothing changes' 'a policy and its bundle' "$tegc" diff policies/edge.teg edge.tegb
tells 2 'OPENED
edge.tegb:policy/resolved.teg' 'a revision and a bundle' "$tegc" diff --fail-on critical first:policies/edge.teg edge.tegb
git add -f edge.tegb && git commit -qm bundle
tells 0 'nothing changes' 'a bundle in a revision' "$tegc" diff HEAD:edge.tegb policies/edge.teg
tells 0 'nothing changes' 'a bundle from standard input' sh -c "'$tegc' diff - policies/edge.teg <edge.tegb"
tells 2 'OPENED' 'a policy from a pipe' sh -c "git show first:policies/edge.teg | sed '/import.*office/d; s/from office/from 203.0.113.0\/24/' |
	'$tegc' diff --fail-on critical - policies/edge.teg"
head -c 20000 edge.tegb >short.tegb
tells 1 'error[E0007]: short.tegb:' 'a bundle that was cut off' "$tegc" diff short.tegb policies/edge.teg
sed 's/net office = .*/net office = [203.0.113.0\/24]/' policies/nets/office.teg >office.tmp && mv office.tmp policies/nets/office.teg
sed -i 's/^zone wan/param door: port = 22\n&/; s/port 22/port door/' policies/edge.teg
tells 0 'nothing changes' 'parameters are for policies, a bundle has none left' \
	sh -c "'$tegc' build --param door=2222 policies/edge.teg -o door.tegb && '$tegc' diff --param door=2222 door.tegb policies/edge.teg"
tells 0 'nothing changes' 'the older policy takes them too' "$tegc" diff --param door=2222 policies/edge.teg door.tegb

# --- git's own commands ----------------------------------------------------------------
git checkout -q -f "$(git symbolic-ref --short HEAD)"
echo '*.teg diff=teg' >.gitattributes
git config diff.teg.command "$tegc diff --git"
git config difftool.teg.cmd "$tegc diff --at \"\$MERGED\" \"\$LOCAL\" \"\$REMOTE\""
git add . && git commit -qm attributes

sed -i 's/^    ssh_in.*/&\n    web_in: allow tcp to self port 443/' policies/edge.teg
tells 0 'policies/edge.teg: what is staged -> the working tree
OPENED
policies/edge.teg:8 web_in
!Binary' 'git diff' git diff
git add policies
tells 0 'policies/edge.teg: HEAD -> what is staged
OPENED' 'git diff --cached' git diff --cached
git commit -qm three
tells 0 'OPENED high
policies/edge.teg:8 web_in' 'git show' git show --ext-diff HEAD
tells 0 "$(git rev-parse --short HEAD~1) -> what is staged
OPENED high
tcp from any to self port 443" 'git diff of two revisions says which it has read' git diff first HEAD -- policies/edge.teg
tells 0 '-net office = 203.0.113.0/24
+net office = [203.0.113.0/24, 198.51.100.0/24]' 'what is only imported is compared as text' \
	git diff first HEAD -- policies/nets/office.teg
tells 0 'OPENED high
policies/edge.teg:8 web_in' 'git difftool, where there is a driver' git difftool -y -t teg HEAD~1 HEAD
mv .gitattributes attributes
tells 0 'OPENED high
policies/edge.teg:8 web_in' 'git difftool' git difftool -y -t teg HEAD~1 HEAD
mv attributes .gitattributes
printf '#!/bin/sh\n"%s" diff HEAD:policies/edge.teg :policies/edge.teg\n' "$tegc" >.git/hooks/pre-commit
chmod +x .git/hooks/pre-commit
sed -i 's/443/444/' policies/edge.teg
tells 1 'port 444' 'a hook sees what is committed, not what is staged' git commit -m four policies/edge.teg
rm .git/hooks/pre-commit && git checkout -q policies/edge.teg
echo 'posture {' >>policies/edge.teg
tells 0 'error[E0101]
+posture {' 'a policy that cannot be read is compared as text' git diff
git checkout -q policies
git mv policies/edge.teg policies/rim.teg
sed -i 's/443/8443/' policies/rim.teg
tells 0 'OPENED
CLOSED' 'a policy that was renamed' git diff -M HEAD
git commit -qam renamed
cp policies/rim.teg policies/other.teg && git add -N policies/other.teg
tells 0 'policies/other.teg: new
+posture OPEN' 'a policy that is new' git diff
rm policies/other.teg && git add -A && rm policies/rim.teg
tells 0 'policies/rim.teg: gone' 'a policy that is gone' git diff
git checkout -q policies
git clone -q --depth 1 "file://$repository" "$dir/shallow"
tells 66 'this clone is shallow: git fetch --unshallow brings the rest' 'a revision that a shallow clone lacks' \
	git -C "$dir/shallow" -c alias.t="!$tegc" t diff HEAD~1:policies/edge.teg HEAD:policies/rim.teg
git config uploadpack.allowFilter true
git clone -q --no-checkout --filter=blob:none "file://$repository" "$dir/partial"
tells 66 'this clone is partial: git show of the same name brings what it lacks' 'a policy that a partial clone lacks' \
	git -C "$dir/partial" -c alias.t="!$tegc" t diff HEAD~1:policies/edge.teg HEAD:policies/rim.teg
git init -q "$dir/super" && git -C "$dir/super" -c protocol.file.allow=always submodule --quiet add "file://$repository" inner
tells 66 'inner is a submodule, ask where it is checked out' 'a policy in a submodule' \
	git -C "$dir/super" -c alias.t="!$tegc" t diff :inner/policies/rim.teg inner/policies/rim.teg
tells 0 'nothing changes' 'where the submodule is checked out' \
	git -C "$dir/super/inner" -c alias.t="!$tegc" t diff HEAD:policies/rim.teg policies/rim.teg
tells 64 'usage: tegc diff' 'arguments that git does not give' "$tegc" diff --git one two
echo "1..$n"
