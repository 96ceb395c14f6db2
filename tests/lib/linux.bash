# linux_before 6.1: is this kernel an older one?
linux_before() { printf '%s\n%s\n' "$(uname -r)" "$1" | sort -VC; }
