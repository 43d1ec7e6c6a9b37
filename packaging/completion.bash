# bash completion for keepalived, keepalivedctl and genhash

_keepalived() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    # bash takes the = of --option=value for a word of its own
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
    case $prev in
    -f|--use-file|-p|--pid|-r|--vrrp_pid|-c|--checkers_pid|-b|--bfd_pid|-A|--snmp-agent-socket|--peer|--control-socket|--log-file|--config-test)
        COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -s|--namespace)
        COMPREPLY=($(compgen -W "$(ip netns list 2>/dev/null | cut -d' ' -f1)" -- "$cur")); return ;;
    -S|--log-facility)
        COMPREPLY=($(compgen -W "0 1 2 3 4 5 6 7 local0 local1 local2 local3 local4 local5 local6 local7 user daemon" -- "$cur")); return ;;
    --signum)
        COMPREPLY=($(compgen -W "STOP RELOAD DATA STATS STATS_CLEAR JSON" -- "$cur")); return ;;
    -u|--umask|-M|--core-dump-pattern|-i|--config-id|--peer-id)
        return ;;
    esac
    if [[ ${COMP_WORDS[1]} == --check && $COMP_CWORD -gt 1 ]]; then
        COMPREPLY=($(compgen -W "--json --use-file --peer --config-id --peer-id --offline" -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$(keepalived --help 2>&1 | grep -o -- '--[a-z_-]*')" -- "$cur"))
    fi
}

_keepalivedctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    case $prev in
    --socket) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    COMPREPLY=($(compgen -W "status --watch --json --check --socket --help" -- "$cur"))
}

_genhash() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    case $prev in
    -P|--protocol) COMPREPLY=($(compgen -W "1.0 1.0c 1.1" -- "$cur")); return ;;
    -s|--server|-p|--port|-u|--url|-V|--use-virtualhost|-m|--fwmark|-t|--timeout) return ;;
    esac
    COMPREPLY=($(compgen -W "--server --port --url --use-ssl --use-sni --use-virtualhost --fwmark --protocol --timeout --verbose --help" -- "$cur"))
}

complete -F _keepalived keepalived
complete -F _keepalivedctl keepalivedctl
complete -F _genhash genhash
