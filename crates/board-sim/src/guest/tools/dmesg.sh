#!@SH@
# Sets how much of the kernel's log reaches the console.
case ${1-} in
-n) echo "printk $2" >@ROOT@/control ;;
-n*) echo "printk ${1#-n}" >@ROOT@/control ;;
*)
    echo "[    0.000000] Linux version 6.1.0-sim (build@sim) #1 SMP"
    # What other tools have noted.
    [ ! -e @ROOT@/kernel.log ] || while IFS= read -r line; do echo "$line"; done <@ROOT@/kernel.log
    ;;
esac
