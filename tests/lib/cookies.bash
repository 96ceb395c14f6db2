# A policy that answers SYNs with cookies beyond one an hour, built as $lab/cookies.tegb, and a kernel that takes cookies at any time.
cat >$lab/cookies.teg <<'POLICY'
policy edge { version "1" }
zone wan = "w0"
reflex syn_flood {
    match tcp flags syn/syn+ack to self port 80 on wan
    when  rate > 1 per 1h
    do    cookies
}
posture OPEN { default allow }
POLICY
"$BUILD/tegc" build $lab/cookies.teg -o $lab/cookies.tegb || { echo "Bail out! tegc cannot build the policy"; exit 1; }
echo 2 >/proc/sys/net/ipv4/tcp_syncookies # always
