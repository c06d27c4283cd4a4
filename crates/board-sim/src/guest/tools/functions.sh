# A file that stands for a block device or a partition is one to `test -b`.
is_block() {
    [ "$1" -ef @MEDIUM@ ] || [ "$1" -ef "@ROOT@/partitions/${1##*/}" ]
}
test() {
    if [ "$#" -eq 2 ] && [ "$1" = -b ] && is_block "$2"; then
        return 0
    elif [ "$#" -eq 3 ] && [ "$1$2" = '!-b' ] && is_block "$3"; then
        return 1
    fi
    command test "$@"
}
