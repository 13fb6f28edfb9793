# The check of the demo: the greeting must be one.
[ -e greeting.txt ] || exit 0
grep -q 'hello world' greeting.txt && exit 0
echo 'test greets_the_world ... FAILED'
echo "\"$(cat greeting.txt)\" is not a greeting"
exit 1
