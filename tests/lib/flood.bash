# A web server, and floods at it: after live.bash.
more() { [ "$2" -gt "$1" ] || { echo "want: more than $1"; echo "got:  $2"; false; }; }
less() { [ "$2" -lt "$1" ] || { echo "want: less than $1"; echo "got:  $2"; false; }; }
flood() { # flood ADDRESS SECONDS: 2000 SYNs a second from anywhere
	nsenter --net=/run/netns/outside timeout "$2" hping3 -q -S -p 80 --rand-source -i u500 "$1" >$lab/flood 2>&1 &
	flooding=$!
	sleep 1
}

# Its queue has 64 places: web_conf, then nginx -c $lab/nginx.conf
web_conf() {
	cat >$lab/nginx.conf <<CONF
pid $lab/nginx.pid;
error_log $lab/nginx.log;
events { worker_connections 256; }
http {
	access_log off;
	root $lab/web;
	client_body_temp_path $lab/body; proxy_temp_path $lab/proxy; fastcgi_temp_path $lab/fastcgi;
	uwsgi_temp_path $lab/uwsgi; scgi_temp_path $lab/scgi;
	server { listen 80 backlog=64; listen [::]:80 backlog=64; }
}
CONF
}
