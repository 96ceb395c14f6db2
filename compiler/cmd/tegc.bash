# Completion of tegc in bash. The commands are the rows of cmd.def.

_tegc_options() {
	case $1 in
	check) echo "-I --import-path --param --params --no-proofs --fail-level --fix --report --plain --color" ;;
	build) echo "-I --import-path --param --params --no-proofs -o --out --sign --serial --report --plain --color" ;;
	test) echo "-I --import-path --param --params --engine --filter --allow-empty --coverage --mutants --all --report --plain --color" ;;
	fmt) echo "--check --report --plain --color" ;;
	import) echo "--ipset --family --include-root --stateful --unlimited --report -o --out" ;;
	diff) echo "-I --import-path --param --params --all --fail-on --markdown --report --plain --color --analysis-budget --at --git" ;;
	prove) echo "-I --import-path --param --params --report --plain --color --analysis-budget" ;;
	no-new-access) echo "-I --import-path --param --params --report --plain --color --allow --all --markdown --analysis-budget" ;;
	explain) echo "-I --import-path --param --params --list --packet --posture --state --all --report --plain --color" ;;
	disasm) echo "--trusted-keys" ;;
	lsp) echo "-I --import-path --param --params --stdio" ;;
	sign) echo "--key --serial -o --out" ;;
	esac
}

# Files with one of these endings, and directories.
_tegc_files() {
	local IFS=$'\n' ending

	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen -d -- "$cur"))
	for ending in "$@"; do
		COMPREPLY+=($(compgen -f -X "!*$ending" -- "$cur"))
	done
}

# Completes the value of the option before the cursor; fails when that is no option with a value.
_tegc_value() {
	case $prev in
	-I | --import-path | --include-root) _tegc_files ;;
	--params) _tegc_files .json ;;
	--at | --allow) _tegc_files .teg ;;
	-o | --out) _tegc_files .tegb ;;
	--sign | --key) _tegc_files .key ;;
	--trusted-keys) _tegc_files .pub ;;
	--family) COMPREPLY=($(compgen -W "ipv4 ipv6" -- "$cur")) ;;
	--fail-level) COMPREPLY=($(compgen -W "error warning" -- "$cur")) ;;
	--fail-on) COMPREPLY=($(compgen -W "low medium high critical" -- "$cur")) ;;
	--report) COMPREPLY=($(compgen -W "human= plain= short= json= sarif= junit= markdown= md= github=" -- "$cur")) ;;
	--color) COMPREPLY=($(compgen -W "auto always never" -- "$cur")) ;;
	--engine) COMPREPLY=($(compgen -W "eval eval,xdp" -- "$cur")) ;;
	--state) COMPREPLY=($(compgen -W "new established reply related invalid untracked" -- "$cur")) ;;
	--param | --packet | --posture | --filter | --serial | --analysis-budget) COMPREPLY=() ;;
	*) return 1 ;;
	esac
}

_tegc() {
	local IFS=$' \t\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="check build test fmt import diff prove no-new-access explain disasm lsp keygen sign help"

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W "$commands --help --version" -- "$cur"))
		return
	fi
	_tegc_value && return
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$(_tegc_options "${COMP_WORDS[1]}")" -- "$cur"))
		return
	fi
	case ${COMP_WORDS[1]} in
	help) COMPREPLY=($(compgen -W "$commands exit-codes reports" -- "$cur")) ;;
	disasm | sign) _tegc_files .tegb ;;
	keygen) COMPREPLY=() ;;
	import)
		_tegc_files ""
		[ "$COMP_CWORD" = 2 ] && COMPREPLY+=($(compgen -W "iptables-save nft" -- "$cur"))
		;;
	*) _tegc_files .teg ;;
	esac
}
complete -F _tegc tegc
