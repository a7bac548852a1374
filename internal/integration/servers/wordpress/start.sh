#!/usr/bin/env bash
# Starts WordPress as Debian packages it, with a database of its own in a
# temporary folder, and says where it is. It ends when its standard input does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
port=$(php -r '$s = stream_socket_server("tcp://127.0.0.1:0"); echo explode(":", stream_socket_get_name($s, false))[1];')
export DB_SOCKET=$dir/db.sock SITE_URL=http://127.0.0.1:$port SITE_PASSWORD
SITE_PASSWORD=$(php -r 'echo bin2hex(random_bytes(12));')

started=()
finish() {
	kill "${started[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap finish EXIT

user=$(id -un)
mariadb-install-db --no-defaults --user="$user" --datadir="$dir/db" --skip-test-db --auth-root-authentication-method=normal >"$dir/db.log" 2>&1
mariadbd --no-defaults --user="$user" --datadir="$dir/db" --socket="$DB_SOCKET" --pid-file="$dir/db.pid" --skip-networking >>"$dir/db.log" 2>&1 &
started+=($!)
for _ in $(seq 100); do
	[[ -S $DB_SOCKET ]] && break
	sleep 0.1
done
mariadb --no-defaults --socket="$DB_SOCKET" --user=root -e 'CREATE DATABASE wordpress'

cp -rL /usr/share/wordpress "$dir/site"
rm -rf "$dir/site/wp-content"
cp -rL /var/lib/wordpress/wp-content "$dir/site/wp-content" 2>/dev/null || cp -rL /usr/share/wordpress/wp-content "$dir/site/wp-content"
mkdir -p "$dir/site/wp-content/uploads"
cp "$here/wp-config.php" "$dir/site/wp-config.php"
app=$(cd "$dir/site" && php "$here/install.php")

php -S "127.0.0.1:$port" -t "$dir/site" "$here/router.php" >"$dir/site.log" 2>&1 &
started+=($!)
for _ in $(seq 100); do
	php -r 'exit(@fsockopen("127.0.0.1", (int) $argv[1]) ? 0 : 1);' "$port" && break
	sleep 0.1
done
echo "READY {\"url\":\"$SITE_URL\",\"user\":\"editor\",\"password\":\"$app\"}"
cat >/dev/null
