# Completion of omconnect for fish. Put this line into ~/.config/fish/config.fish:
#   omconnect completion fish | source
function __omconnect_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c omconnect -a '(__omconnect_complete)'
