# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # what this needs is set by the script that reads it
# debian.sh: Debian's packages as files, for the scripts that make images of them.
#
# Read by tools/mkguest and tools/mkdom0. Packages come from the Debian mirrors this machine's
# apt is set up for, through a private apt directory: neither the system's package lists nor its
# architectures change, nothing of a package is run, and no root is needed. Signatures are always
# checked, dates as apt is set up to; of what it refuses a note says why.
#
# The script sets before it calls anything here: arch, Debian's name of the architecture; out,
# absolute; and with use_release() the release whose packages are meant, which sets debs, where
# they are kept, and apt, the private directory.

script=${0##*/}
say() { echo "$script: $*"; }
die() {
    echo "$script: $*" >&2
    exit 1
}

# use_release SUITE SUFFIX: from here on packages are of that release ("": this machine's); SUFFIX
# tells its directories from those of others.
use_release() {
    suite=$1
    debs=$out/cache/debs$2
    apt=$out/apt$2
    mkdir -p "$debs" "$apt"
}

# One script at a time in OUT/cache; the lock goes with the process.
lock_cache() {
    exec 9>"$out/cache/mkguest.lock"
    flock -w 900 9 || die "another one that makes images has been running for 15 minutes"
}

# --- a private apt: one architecture, the machine's own mirrors and keys ---
# sources [SUITE]: the machine's sources of its own release, or of SUITE in its place.
sources() {
    env -u APT_CONFIG apt-get indextargets \
        --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v c="$codename" -v suite="${1-}" '
            { r = $2; sub(/^(oldstable|stable)/, c, r) }
            $3 == "main" && (r == c || r == c "-updates" || r ~ "^" c "[-/]security$") {
                wanted = suite == "" ? $2 : suite substr(r, length(c) + 1)
                line = "deb " $1 " " wanted " main"
                if (!seen[line]++) { print line }
            }'
}

# update_lists [OPTION...]: the lists of what stands in sources.list, each verified and of this
# release; 1: not all are, and the reason of the first is in $apt/why.
update_lists() {
    if ! apt-get -q -o APT::Update::Error-Mode=any "$@" update >"$apt/log" 2>&1; then
        cat "$apt/log"
        sed -n 's/^E: //p' "$apt/log" | sed '1!d; s/ \[IP: .*//' >"$apt/why"
        return 1
    fi
    cat "$apt/log"
    case $(codenames | sed "s/^$release.*/right/" | sort -u) in
    right) return 0 ;;
    "") echo "it has nothing for $arch" >"$apt/why" ;;
    *) echo "it is not of $release" >"$apt/why" ;;
    esac
    return 1
}

codenames() { apt-get indextargets --format '$(CODENAME)' 'Created-By: Packages'; }

# take NUMBER: adds that one of the machine's sources to $apt/taken, by the first name of the
# release under which the mirror has it in order, or says what is left out and why.
take() {
    for name in "$release" stable oldstable; do
        sources "$name" | sed -n "$1p" >"$apt/sources.list"
        called=$(cut -d ' ' -f 3 "$apt/sources.list")
        if update_lists -o Acquire::Retries=0; then
            cat "$apt/sources.list" >>"$apt/taken"
            [ "$name" = "$release" ] || echo "note: $called is used in its place"
            return 0
        fi
        [ "$name" != "$release" ] ||
            echo "note: the mirror's $called for $arch is refused: $(cat "$apt/why")"
    done
    # Without the release itself there is no image: read_lists() ends with that.
    [ "$called" = "$name" ] || echo "note: the image is made without it"
}

# A mirror that is being synchronized, or stands still, may have a release in order under only
# one of its names, or its updates under none. What is used is verified and of this release all
# the same; the release itself has to be there, its updates are done without.
read_lists() {
    sources "$suite" >"$apt/sources.list"
    ! update_lists || return 0
    count=$(sources "$release" | wc -l)
    : >"$apt/taken"
    for number in $(seq "$count"); do
        take "$number"
    done
    cp "$apt/taken" "$apt/sources.list"
    update_lists && codenames | grep -qx "$release"
}

private_apt() {
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    release=${suite:-$codename}
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state" "$apt/keys"
    : >"$apt/state/status"
    sources >"$apt/sources.list"
    [ -s "$apt/sources.list" ] ||
        die "apt has no source for Debian $codename main: see /etc/apt/sources.list.d"
    # Whatever key the machine trusts for its mirrors is trusted here too.
    for key in /etc/apt/trusted.gpg.d/*.gpg /etc/apt/trusted.gpg.d/*.asc \
        /etc/apt/keyrings/*.gpg /usr/share/keyrings/debian-archive-*.gpg; do
        [ -r "$key" ] && ln -sf "$key" "$apt/keys/"
    done
    cat >"$apt/apt.conf" <<CONF
APT::Architecture "$arch";
#clear APT::Architectures;
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trustedparts "$apt/keys";
Dir::State "$apt/state";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache";
Dir::Cache::archives "$apt/cache/archives";
CONF
    APT_CONFIG=$apt/apt.conf
    export APT_CONFIG
    say "reading Debian's list of $arch packages"
    read_lists || die "no list of Debian $release for $arch can be had and verified: check the network," \
        "/etc/apt, and that debian-archive-keyring is new enough to know $release"
}

# fetch PACKAGE...: newest version of each into the cache, old versions out.
fetch() {
    rm -rf "$out/cache/part"
    mkdir -p "$out/cache/part"
    (cd "$out/cache/part" && apt-get -q download "$@") || die "download failed: $*"
    for deb in "$out"/cache/part/*.deb; do
        base=${deb##*/}
        rm -f "$debs/${base%%_*}"_*.deb
        mv "$deb" "$debs/"
    done
    rmdir "$out/cache/part"
}

unpack() { # DIRECTORY PACKAGE...
    dir=$1
    shift
    mkdir -p "$dir"
    for package; do
        dpkg-deb -x "$debs/${package}"_*.deb "$dir"
    done
}

# have PACKAGE: it is in the cache.
have() { # PACKAGE, or a pattern: it is in the cache
    # shellcheck disable=SC2086 # a pattern
    ls "$debs"/$1_*.deb >/dev/null 2>&1
}

# --- images ------------------------------------------------------------------
# library NAME TREE: the file of that library among unpacked packages; nothing if there is none.
library() { find "$2" -name "$1" | head -n 1; }

# add_programs ROOT TREE FILE...: programs out of unpacked packages, each where its package has
# it, and all the libraries that they ask for. A library that is only loaded by name at run time
# is a FILE of its own.
add_programs() {
    root=$1 tree=$2
    shift 2
    todo=
    for file; do
        [ -e "$tree/$file" ] || die "no package has $file"
        mkdir -p "$root/$(dirname "$file")"
        cp -P "$tree/$file" "$root/$file"
        todo="$todo $root/$file"
    done
    mkdir -p "$root/lib"
    while [ -n "$todo" ]; do
        next=
        for file in $todo; do
            for lib in $(needed_by "$file"); do
                [ ! -e "$root/lib/$lib" ] || continue
                found=$(library "$lib" "$tree")
                [ -n "$found" ] || die "${file##*/} needs $lib, which none of its packages has"
                cp -L "$found" "$root/lib/$lib"
                next="$next $root/lib/$lib"
            done
        done
        todo=$next
    done
}

needed_by() { # FILE: names of libraries and of the loader; none for a script
    ${cross}readelf -dl "$1" 2>/dev/null |
        sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p; s/.*program interpreter: .*\/\(.*\)\].*/\1/p'
}

# unpack_kernel DIRECTORY: of the kernel package the image and the modules that images may want.
unpack_kernel() {
    mkdir -p "$1"
    set -- "$1" "$debs"/linux-image-6*.deb
    dpkg-deb --fsys-tarfile "$2" |
        tar -x -C "$1" --wildcards './boot/*' './*lib/modules/*/kernel/drivers/virtio/*' \
            './*lib/modules/*/kernel/drivers/block/*' './*lib/modules/*/kernel/drivers/xen/*' \
            './*lib/modules/*/kernel/drivers/net/*' './*lib/modules/*/kernel/drivers/watchdog/*' \
            './*lib/modules/*/kernel/net/core/*' './*lib/modules/*/kernel/net/bridge/*' \
            './*lib/modules/*/kernel/net/802/*' './*lib/modules/*/kernel/net/llc/*' 2>/dev/null ||
        [ -n "$(ls "$1/boot" 2>/dev/null)" ] || die "the kernel package cannot be unpacked"
}

# add_modules ROOT KERNELTREE NAME...: kernel modules and those that they ask for, uncompressed,
# into ROOT/lib/modules, and the order in which to load them. One that is built into this kernel
# has no file.
add_modules() {
    root=$1 tree=$2
    shift 2
    mkdir -p "$root/lib/modules"
    touch "$root/lib/modules/order"
    for module; do
        add_module "$module"
    done
}

add_module() { # NAME
    ! grep -qx "$1" "$root/lib/modules/order" || return 0
    found=$(find "$tree" -name "$1.ko" -o -name "$1.ko.xz" | head -n 1)
    case $found in
    "") return 0 ;;
    *.xz) xz -dc "$found" >"$root/lib/modules/$1.ko" ;;
    *) cp "$found" "$root/lib/modules/" ;;
    esac
    for wanted in $(tr '\0' '\n' <"$root/lib/modules/$1.ko" | sed -n 's/^depends=//p' | tr , ' '); do
        (add_module "$wanted")
    done
    echo "$1" >>"$root/lib/modules/order"
}

# archive ROOT: the directory as a ramdisk, always the same bytes for the same files.
archive() {
    (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible --quiet)
}
