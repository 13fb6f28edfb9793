# The reviewer of the demo: a greeting has to be loud.
run=$(ao review ls app-1 --json | grep -o 'app-1-r[0-9]*' | sort -u | tail -n 1)
if grep -q '!' greeting.txt; then
    ao review submit --run "$run" --verdict approved --body 'Loud and clear.'
else
    ao review submit --run "$run" --verdict changes_requested --body 'Say it louder.'
fi
