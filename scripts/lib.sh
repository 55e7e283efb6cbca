# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run:
#   . "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
# It sets $root (the checkout), $cache (downloads that may be shared between checkouts and thrown away at any time)
# and $logs (the output of steps that are silent as long as they succeed).

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cache=${MOONPOOL_CACHE:-$root/.cache}
logs=$root/.cache/logs
mkdir -p "$cache" "$logs"
cache=$(cd "$cache" && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
misuse() { printf '%s: %s (see --help)\n' "${0##*/}" "$*" >&2; exit 2; }

# The help text of a script is the comment at its top.
show_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"; }

# show_progress LOG: on a terminal, one line that says how far a build is: the last "[3/190]" of its output. Until it is
# ended, or the script is.
show_progress() {
  local at
  while sleep 0.3 && kill -0 $$ 2>/dev/null; do
    at=$(tail -c 4096 "$1" 2>/dev/null | grep -ao '^\[[0-9]*/[0-9]*\]' | tail -n 1)
    [[ -z $at ]] || printf '\r%s: %s ' "${0##*/}" "$at"
  done
}

# quietly NAME COMMAND...: runs the command with its output in a log, which is shown only when the command fails.
quietly() {
  local log=$logs/$1.log status=0 progress=
  shift
  if [[ -t 1 ]]; then
    show_progress "$log" &
    progress=$!
  fi
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [[ -n $progress ]]; then
    kill "$progress" 2>/dev/null || true
    wait "$progress" 2>/dev/null || true
    printf '\r\033[K'
  fi
  [[ $status == 0 ]] && return
  printf '%s: "%s" failed with status %d; the end of %s:\n' "${0##*/}" "$*" "$status" "${log#"$root"/}" >&2
  tail -n 40 "$log" >&2
  return "$status"
}

# A Java 17 on standard output: neither JAVA_HOME nor the PATH is trusted, because Cassandra fails on newer ones.
java17() {
  local java
  for java in "${MOONPOOL_JAVA:-}" "${JAVA_HOME:-}/bin/java" /usr/lib/jvm/*/bin/java "$(command -v java || true)"; do
    [[ -x $java ]] || continue
    if "$java" -version 2>&1 | grep -q 'version "17[."]'; then
      readlink -f "$java"
      return
    fi
  done
  die 'no Java 17 found: run scripts/packages live, or name its java in MOONPOOL_JAVA'
}

# bare_debian FOLDER KEEP: a minimal Debian 12 in an empty folder, made by debootstrap (for root), from this machine's
# mirror. KEEP is yes or no: whether the one of the last time will do, and this one is kept for the next.
bare_debian() {
  local system=$1 keep=$2 archive=$cache/bare-debian.tar mirror
  if [[ $keep == yes && -f $archive ]]; then
    say 'unpacking the bare Debian 12 of the last time'
    tar -xpf "$archive" -C "$system"
    return
  fi
  command -v debootstrap >/dev/null || die 'debootstrap is missing: apt-get install debootstrap'
  say 'making a bare Debian 12 (about a minute)'
  mirror=$(grep -rhoE '(^URIs: *|^deb (\[.*\] *)?)https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/ 2>/dev/null |
    grep -oE 'https?://[^ ]+' | head -n 1) || true
  quietly debootstrap debootstrap --variant=minbase bookworm "$system" ${mirror:+"$mirror"}
  if [[ $keep == yes ]]; then tar -cf "$archive.$$" -C "$system" . && mv "$archive.$$" "$archive"; fi
}

# hand_in_settings FOLDER: how this machine reaches its package registries, for a system in a folder: apt sources and
# settings, certificates, pip and Maven settings.
hand_in_settings() {
  local system=$1 path settings
  say 'handing in the apt, pip and Maven settings and certificates of this machine'
  rm -f "$system/etc/apt/sources.list"
  mapfile -t settings < <(grep -lrE 'Acquire::(https?|Check|Retries|.*[Pp]roxy)' /etc/apt/apt.conf /etc/apt/apt.conf.d 2>/dev/null)
  for path in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/apt/preferences.d \
    /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /etc/apt/keyrings "${settings[@]}" \
    /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates /etc/pip.conf /etc/resolv.conf /etc/hosts; do
    [[ -e $path ]] || continue
    mkdir -p "$system$(dirname "$path")"
    cp -aLT "$path" "$system$path"
  done
  for path in .pip/pip.conf .config/pip/pip.conf .m2/settings.xml; do
    if [[ -f $HOME/$path ]]; then install -D -m 600 "$HOME/$path" "$system/root/$path"; fi
  done
}

# expect PATTERN COMMAND...: it ends well, and its output has the pattern.
expect() {
  local pattern=$1 said
  shift
  said=$("$@" 2>&1) || die "$* failed: $said"
  [[ $said =~ $pattern ]] || die "$*: \"$said\" has no \"$pattern\""
}

# The version that this checkout is of.
moonpool_version() { sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' "$root/CMakeLists.txt"; }

# write_app FILE: an application for the embedded cluster, which prints "row moonpool".
write_app() {
  cat >"$1" <<'END'
local moonpool = require "moonpool"
local pool = moonpool.ConnectionPool { contactPoints = moonpool.embedded.hosts, localDataCenter = "datacenter1" }
assert(pool:connect())
print("row", pool:execute("SELECT cluster_name FROM system.local"):first().cluster_name)
pool:close()
END
}
