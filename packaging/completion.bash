# bash completion for keepalived
_keepalived() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    case $prev in
    -f|--use-file|-p|--pid|-r|--vrrp_pid|-c|--checkers_pid|-b|--bfd_pid|-A|--snmp-agent-socket|--peer|--control-socket)
        COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -s|--namespace)
        COMPREPLY=($(compgen -W "$(ip netns list 2>/dev/null | cut -d' ' -f1)" -- "$cur")); return ;;
    -S|--log-facility)
        COMPREPLY=($(compgen -W "0 1 2 3 4 5 6 7 user daemon" -- "$cur")); return ;;
    --signum)
        COMPREPLY=($(compgen -W "STOP RELOAD DATA STATS STATS_CLEAR JSON" -- "$cur")); return ;;
    esac
    COMPREPLY=($(compgen -W "$(keepalived --help 2>&1 | grep -o -- '--[a-z_-]*')" -- "$cur"))
}
complete -F _keepalived keepalived
