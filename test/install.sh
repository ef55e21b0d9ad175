#!/usr/bin/env bash
# Installs the Debian packages that the lab and the tests need and that are not there. With nothing missing it does nothing,
# needs neither root nor Debian, and takes no time. It starts no service.
set -euo pipefail

# What must exist, and the package that brings it: a program in PATH, or a file.
needed=(
	ovs-vswitchd:openvswitch-switch
	ovs-vsctl:openvswitch-switch
	ovs-ofctl:openvswitch-common
	ovs-pki:openvswitch-common
	openssl:openssl
	curl:curl
	/usr/share/openvswitch/vswitch.ovsschema:openvswitch-switch
	ip:iproute2
	ping:iputils-ping
	tcpdump:tcpdump
	ethtool:ethtool
	iptables:iptables
	dnsmasq:dnsmasq-base
	dhclient:isc-dhcp-client
	prometheus:prometheus
	promtool:prometheus
	gcc:gcc
	/usr/include/stdio.h:libc6-dev
)

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()
for entry in "${needed[@]}"; do
	what=${entry%:*} package=${entry##*:}
	case $what in
	/*) [ -e "$what" ] && continue ;;
	*) command -v "$what" >/dev/null && continue ;;
	esac
	[[ " ${missing[*]} " == *" $package "* ]] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "This is not Debian; install what these Debian packages hold: ${missing[*]}" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "Debian packages are missing and root is needed to install them: apt-get install ${missing[*]}" >&2
	exit 1
fi

echo "Installing Debian packages: ${missing[*]}"

# Packages start their services unless policy-rc.d forbids it; the lab runs daemons of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

# apt says a lot that nobody needs unless it fails.
log=$(mktemp)
quietly() {
	if ! DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$log" 2>&1; then
		cat "$log" >&2
		echo "failed: $*" >&2
		rm -f "$log"
		exit 1
	fi
}
quietly apt-get -q update
quietly apt-get -q -y --no-install-recommends install "${missing[@]}"
rm -f "$log"
