#!@SH@
# Shows the board's network; settings are accepted.
if [ -n "@NETWORK@" ]; then state=UP carrier=LOWER_UP address='127.0.0.1/8'; else state=DOWN carrier=NO-CARRIER address=; fi
case " $* " in
*" set "* | *" add "* | *" del "* | *" replace "* | *" flush "*) exit 0 ;;
*" r "* | *" route "*) [ -z "$address" ] || echo "default via 127.0.0.1 dev eth0" ;;
*)
    echo "2: eth0: <BROADCAST,MULTICAST,UP,$carrier> mtu 1500 qdisc mq state $state qlen 1000"
    echo "    link/ether 52:52:52:52:52:52 brd ff:ff:ff:ff:ff:ff"
    [ -z "$address" ] || echo "    inet $address scope global eth0"
    ;;
esac
