#!@SH@
# Setting the clock is remembered by the board; the host's stays as it is.
set=
for word; do
    case $set$word in
    -s | --set) set=next: ;;
    next:*)
        set=done
        value=$word
        ;;
    --set=*)
        set=done
        value=${word#--set=}
        ;;
    -s?*)
        set=done
        value=${word#-s}
        ;;
    esac
done
[ "$set" = done ] || exec @DATE@ "$@"
echo "date $value" >@ROOT@/control
exec @DATE@ -d "$value" 2>/dev/null
