# Completion of tegctl in bash. The commands are the rows of command.def, the options those of option.def.

# The first word that is neither an option nor the value of one.
_tegctl_command() {
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --url | --token-file | --ca | --cert | --key | --reason | --for | --if-match | --last | --head | --from | --confirm | --plan) i=$((i + 1)) ;;
		-*) ;;
		*)
			echo "${COMP_WORDS[i]}"
			return
			;;
		esac
	done
}

# The postures of the policy in force; none when tegd cannot be asked.
_tegctl_postures() {
	tegctl posture 2>/dev/null | sed 's/^[* ]*//; s/ .*//'
}

_tegctl_files() {
	local IFS=$'\n'

	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen -d -- "$cur") $(compgen -f -X "!*$1" -- "$cur"))
}

_tegctl() {
	local IFS=$' \t\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command
	local commands="status posture plan apply confirm cancel rollback history bundle diff block unblock feed qualia metrics counters top watch audit token help"
	local options="--socket --url --token-file --ca --cert --key --json --help --version"

	COMPREPLY=()
	case $prev in
	--socket | --token-file | --ca | --cert | --key | --from) _tegctl_files '' && return ;;
	--url | --reason | --for | --if-match | --last | --head | --confirm | --plan) return ;;
	esac
	command=$(_tegctl_command)
	if [[ $cur == -* ]]; then
		[[ $command == posture ]] && options="$options --reason --for"
		[[ $command == block ]] && options="$options --reason --for --from"
		[[ $command == unblock ]] && options="$options --reason --from"
		[[ $command == apply ]] && options="$options --allow-downgrade --plan --confirm --if-match"
		[[ $command == plan ]] && options="$options --base-unknown"
		[[ $command == rollback ]] && options="$options --confirm --if-match"
		[[ $command == confirm || $command == cancel ]] && options="$options --if-match"
		[[ $command == audit ]] && options="$options --last --head"
		COMPREPLY=($(compgen -W "$options" -- "$cur"))
		return
	fi
	case $command in
	'') COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
	posture) COMPREPLY=($(compgen -W "$(_tegctl_postures)" -- "$cur")) ;;
	rollback | bundle | diff) COMPREPLY=($(compgen -W "$(tegctl history --json 2>/dev/null | grep -oE '"generation":[0-9]+' | cut -d: -f2)" -- "$cur")) ;;
	plan | apply) _tegctl_files .tegb ;;
	feed) case $prev in
		feed) COMPREPLY=($(compgen -W "list load clear" -- "$cur")) ;;
		load | clear) COMPREPLY=($(compgen -W "$(tegctl feed --json 2>/dev/null | grep -oE '"name":"[^"]*"' | cut -d'"' -f4)" -- "$cur")) ;;
		list) ;;
		*) _tegctl_files '' ;;
		esac ;;
	unblock) COMPREPLY=($(compgen -W "$(tegctl block 2>/dev/null | sed -n '/^[0-9a-f.:/]* /s/ .*//p')" -- "$cur")) ;;
	audit) [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " == *" verify "* ]] && _tegctl_files '' || COMPREPLY=($(compgen -W "verify" -- "$cur")) ;;
	token) case $prev in token) ;; *) COMPREPLY=($(compgen -W "viewer operator policy-admin" -- "$cur")) ;; esac ;;
	help) COMPREPLY=($(compgen -W "$commands exit-codes" -- "$cur")) ;;
	esac
}
complete -F _tegctl tegctl
