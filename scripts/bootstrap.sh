# Sourced by the scripts beside it. Leaves the shell in the repository with $bun set: the pinned
# Bun, taken from PATH or fetched with npm into .cache/bun, and the packages of bun.lock installed.
# Needs bash, coreutils, and either Bun or Node's npm; no root, nothing global, and no sed, grep or
# curl. All its output goes to stderr, so that a script's own output stays clean.
set -euo pipefail

bun_version=1.4.5

cd "$(dirname "${BASH_SOURCE[0]}")/.."
repo="$PWD"

# Behind a proxy with its own certificate authority, that authority is in the system's store, which
# neither npm nor Bun reads by default.
system_store=/etc/ssl/certs/ca-certificates.crt
if [[ -z "${NODE_EXTRA_CA_CERTS:-}" && -r "$system_store" ]]; then
  export NODE_EXTRA_CA_CERTS="$system_store"
fi

is_pinned_bun() { [[ "$("$1" --version 2>/dev/null)" == "$bun_version" ]]; }

# The npm package `bun` is a launcher that its install script replaces with the binary. npm may
# refuse to run that script (and has no sh for it on a bare PATH), so it is skipped: the binary is in
# one of the platform packages installed with it, and we take the one that runs.
fetch_bun() {
  local target="$repo/.cache/bun" fetched candidate
  if ! command -v npm >/dev/null; then
    echo "Bun $bun_version is required, or npm (part of Node.js) to fetch it. Neither is on PATH." >&2
    exit 1
  fi
  echo "Fetching Bun $bun_version with npm into .cache/bun (about 100 MB, once)" >&2
  mkdir -p "$repo/.cache"
  fetched="$(mktemp -d "$repo/.cache/bun-fetch.XXXXXX")"
  npm install --prefix "$fetched" --ignore-scripts --no-save --no-audit --no-fund \
    --loglevel=error --update-notifier=false "bun@$bun_version" >&2
  for candidate in "$fetched"/node_modules/@oven/*/bin/bun; do
    if is_pinned_bun "$candidate"; then
      mkdir -p "$target"
      mv -f "$candidate" "$target/bun"
      rm -rf "$fetched"
      return
    fi
  done
  rm -rf "$fetched"
  echo "npm fetched bun@$bun_version, but none of its binaries runs here; install Bun $bun_version yourself." >&2
  exit 1
}

install_packages() {
  local stamp=node_modules/.installed file
  for file in package.json bun.lock patches/*; do
    if [[ -e "$file" && ! "$stamp" -nt "$file" ]]; then
      "$bun" install --frozen-lockfile >&2
      touch "$stamp"
      return
    fi
  done
}

if is_pinned_bun bun; then
  bun="$(command -v bun)"
else
  bun="$repo/.cache/bun/bun"
  is_pinned_bun "$bun" || fetch_bun
  export PATH="$repo/.cache/bun:$PATH"
fi
install_packages

# Scripts never read settings from a .env in the repository.
run_typescript() { exec "$bun" --no-env-file "$@"; }
