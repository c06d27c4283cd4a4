# A file that stands for a block device is one to `test -b`.
test() {
    if [ "$#" -eq 2 ] && [ "$1" = -b ] && [ "$2" -ef @MEDIUM@ ]; then
        return 0
    elif [ "$#" -eq 3 ] && [ "$1$2" = '!-b' ] && [ "$3" -ef @MEDIUM@ ]; then
        return 1
    fi
    command test "$@"
}
