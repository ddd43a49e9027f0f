#compdef omconnect
# Completion of omconnect for zsh. Put this line into ~/.zshrc, behind compinit:
#   source <(omconnect completion zsh)
_omconnect() {
	local -a candidates described
	local line
	candidates=("${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	for line in "${candidates[@]}"; do
		[[ -n $line ]] && described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	if (( ${#described} )); then
		_describe omconnect described
	else
		_files
	fi
}
compdef _omconnect omconnect
