# Completion of omconnect for bash. Put this line into ~/.bashrc:
#   source <(omconnect completion bash)
_omconnect() {
	local IFS=$'\n' words=() candidates
	# Readline splits words at = and :, which belong to ours.
	local line=${COMP_LINE:0:COMP_POINT}
	IFS=$' \t\n' read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	candidates=$("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null | cut -f1)
	local current=${words[${#words[@]}-1]} typed=${COMP_WORDS[COMP_CWORD]}
	local skipped=$((${#current} - ${#typed})) candidate
	COMPREPLY=()
	for candidate in $candidates; do
		COMPREPLY+=("${candidate:skipped}")
	done
}
complete -o default -F _omconnect omconnect
