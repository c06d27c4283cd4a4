# Read by the login shell of the simulated board.
. @ROOT@/functions
# A write beyond the end of the medium is an error, no signal.
trap '' XFSZ
# As busybox does, the prompt asks the terminal for its cursor.
PS1='@PROMPT@@ESC@[6n'
PS2='> '
