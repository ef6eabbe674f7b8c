#!/bin/sh
# Builds the images of the conformance suites into DIRECTORY:
#
#   build-images.sh DIRECTORY [WHAT]
#
#   WHAT = small   busybox, one layer:       DIRECTORY/busybox.tar
#   WHAT = real    Debian, five layers:      DIRECTORY/real/{oci,reference.txt}
#                  (and the small one)       DIRECTORY/registry: a docker-registry store with debian:test,
#                                            busybox:test and unpadded:test
#
# The real image has in its upper layers everything an unpacker has to get right: whiteouts, an opaque
# directory, a file that replaces a directory and the reverse, hardlinks (inside a layer, and to a file
# of a lower layer), setuid and setgid files, file capabilities, device nodes, a fifo, binary xattrs,
# names that need a pax header, a sparse file, odd owners and modification times.
#
# The caller holds a lock and renames DIRECTORY into place, so an interrupted build is never used.
set -eu

dir=$1
what=${2:-real}
mirror=${BERTH_TEST_DEBIAN_MIRROR:-http://deb.debian.org/debian}
mkdir -p "$dir"
work=$(mktemp -d "$dir/work.XXXXXX")
registry_pid=
cleanup() {
  if [ -n "$registry_pid" ]; then kill "$registry_pid"; wait "$registry_pid" || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

build_small() {
  umoci init --layout "$work/small"
  umoci new --image "$work/small:latest"
  umoci unpack --image "$work/small:latest" "$work/small-bundle"
  root=$work/small-bundle/rootfs
  mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/root" "$root/proc" "$root/sys" "$root/dev"
  chmod 1777 "$root/tmp"
  cp /bin/busybox "$root/bin/busybox"
  for name in $(/bin/busybox --list); do
    [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
  echo 'user:x:1000:1000:user:/:/bin/sh' >> "$root/etc/passwd"
  printf 'root:x:0:\nuser:x:1000:\nextra:x:1001:user\n' > "$root/etc/group"
  umoci repack --image "$work/small:latest" "$work/small-bundle"
  umoci config --image "$work/small:latest" --config.cmd /bin/sh --config.env PATH=/bin \
    --config.workingdir / --created 2026-01-01T00:00:00Z
  skopeo --insecure-policy copy "oci:$work/small:latest" \
    "oci-archive:$dir/busybox.tar:localhost/busybox:test"
}

# Unpacks the image, lets the function $1 change the root file system, and packs that as a layer.
add_layer() {
  rm -rf "$work/bundle"
  umoci unpack --image "$work/oci:test" "$work/bundle"
  "$1" "$work/bundle/rootfs"
  umoci repack --image "$work/oci:test" "$work/bundle"
}

layer_things() {
  root=$1
  mkdir -p "$root/things/deep/er/and/deeper"
  cd "$root/things"
  echo one > linked-a; ln linked-a linked-b; ln linked-a deep/linked-c
  ln "$root/etc/debian_version" linked-to-lower
  ln -s ../etc/passwd symlink; ln -s /does/not/exist dangling
  cp /bin/busybox setuid; chmod 4755 setuid
  cp /bin/busybox setgid; chown 0:42 setgid; chmod 2755 setgid
  cp /bin/busybox capable; setcap cap_net_raw,cap_net_bind_service+ep capable
  mknod char c 1 3; chmod 666 char; mknod block b 7 200; mkfifo -m 640 fifo
  echo data > binary-xattr
  setfattr -n user.binary -v 0x00ff0a3d0d00807f22 binary-xattr
  setfattr -n user.text -v hello binary-xattr
  mkdir sticky; chmod 1777 sticky; setfattr -n user.on.directory -v 0x0001 sticky
  echo owned > owned; chown 123456:654321 owned; chmod 0604 owned
  echo 'späße' > 'nämé with spaces'
  long=$(printf 'l%.0s' $(seq 1 120)); mkdir "$long"; echo long > "$long/$long"
  ln -s "/$long/$long/$long" long-symlink
  truncate -s 4M sparse; printf middle | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
  : > empty; touch -d '1999-12-31T23:59:59.123456789Z' owned; touch -d '@0' empty
  # Both empty: for a directory with content umoci writes whiteouts below the new file, which containerd refuses.
  mkdir replaced-by-file replaced-by-symlink
  echo z > replaced-by-directory; mkdir opaque; echo low > opaque/low; echo both > opaque/both
  mkdir whole; echo gone > whole/gone; echo single > single
  cd /
}

layer_removals() {
  root=$1
  rm -rf "$root/usr/share/doc/base-files" "$root/usr/share/man" "$root/things/whole"
  rm -f "$root/things/single" "$root/things/deep/linked-c"
  rm -rf "$root/things/replaced-by-file" "$root/things/replaced-by-symlink" "$root/things/replaced-by-directory"
  echo now-a-file > "$root/things/replaced-by-file"
  ln -s sticky "$root/things/replaced-by-symlink"
  mkdir "$root/things/replaced-by-directory"; echo inside > "$root/things/replaced-by-directory/inside"
  chmod 0700 "$root/things/deep"
  echo changed >> "$root/things/owned"
}

# The lines an independent unpacker (umoci) makes of the finished image, as a reference for people.
reference_listing() {
  rm -rf "$work/bundle"
  umoci unpack --image "$work/oci:test" "$work/bundle"
  (cd "$work/bundle/rootfs/things" && find . -printf '%P %y %m %U:%G %s %l\n' | sort) > "$1"
}

build_real() {
  debootstrap --variant=minbase bookworm "$work/debian" "$mirror"
  rm -rf "$work/debian/var/cache/apt/archives" "$work/debian/var/lib/apt/lists"
  umoci init --layout "$work/oci"
  umoci new --image "$work/oci:test"
  umoci unpack --image "$work/oci:test" "$work/bundle"
  rmdir "$work/bundle/rootfs"
  mv "$work/debian" "$work/bundle/rootfs"
  umoci repack --image "$work/oci:test" "$work/bundle"
  add_layer layer_things
  add_layer layer_removals
  # Layers that hold a file but not the directories above it, the first with an opaque directory.
  mkdir -p "$work/layer/things/opaque" "$work/layer/things/last"
  echo new > "$work/layer/things/opaque/new"; echo replaced > "$work/layer/things/opaque/both"
  : > "$work/layer/things/opaque/.wh..wh..opq"; echo last > "$work/layer/things/last/last"
  tar -C "$work/layer" --numeric-owner -cf "$work/opaque.tar" things/opaque/.wh..wh..opq things/opaque/new things/opaque/both
  tar -C "$work/layer" --numeric-owner -cf "$work/last.tar" things/last/last
  umoci raw add-layer --image "$work/oci:test" "$work/opaque.tar"
  umoci raw add-layer --image "$work/oci:test" "$work/last.tar"
  umoci config --image "$work/oci:test" --config.cmd /bin/bash --config.workingdir / \
    --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  umoci gc --layout "$work/oci"
  mkdir "$dir/real"
  reference_listing "$dir/real/reference.txt"
  mv "$work/oci" "$dir/real/oci"
}

# `umoci insert` writes a layer that ends with the last byte of the last file: no padding, no end marker.
build_unpadded() {
  mkdir "$work/inserted"; echo inserted > "$work/inserted/file"
  umoci insert --image "$work/small:latest" "$work/inserted" /inserted
}

fill_registry() {
  cat > "$work/registry.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/registry}}
http: {addr: "127.0.0.1:$1"}
END
  docker-registry serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
  registry_pid=$!
  tries=0
  until skopeo --insecure-policy copy --dest-tls-verify=false \
    "oci-archive:$dir/busybox.tar:localhost/busybox:test" "docker://127.0.0.1:$1/busybox:test"; do
    tries=$((tries + 1))
    if [ $tries -ge 20 ] || ! kill -0 "$registry_pid"; then cat "$work/registry.log" >&2; exit 1; fi
    sleep 0.3
  done
  skopeo --insecure-policy copy --dest-tls-verify=false \
    "oci:$dir/real/oci:test" "docker://127.0.0.1:$1/debian:test"
  skopeo --insecure-policy copy --dest-tls-verify=false \
    "oci:$work/small:latest" "docker://127.0.0.1:$1/unpadded:test"
  kill "$registry_pid"; wait "$registry_pid" || true
  registry_pid=
}

build_small
if [ "$what" = real ]; then
  build_real
  build_unpadded
  fill_registry "${BERTH_TEST_REGISTRY_PORT:?the caller picks a free port}"
fi
