#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""compare.py DIR...: our abi/xen beside Xen's own public headers.

Each DIR holds usr/include/xen of a libxen-dev package. Every structure that abi/xen declares is
compiled against either, for arm64: sizes, and offset and size of each member, are equal. A structure
that abi/tables/layout.tbl converts is compared as that release's callers have it. Constants that
both define are equal, too. What only abi/xen has is named in OWN with its reason."""
import os
import re
import subprocess
import sys
import tempfile

CC = ['aarch64-linux-gnu-gcc', '-std=gnu11', '-w', '-D__XEN_TOOLS__', '-ffreestanding']
HEADERS = ('xen.h', 'event_channel.h', 'grant_table.h', 'memory.h', 'vcpu.h', 'sched.h', 'version.h',
           'domctl.h', 'sysctl.h', 'platform.h', 'physdev.h', 'hypfs.h', 'arch-arm.h',
           'hvm/params.h', 'hvm/hvm_op.h', 'xsm_op.h', 'io/console.h')
# Ours alone: structure or structure.member, a pattern.
OWN = {
    r'xen_(extraversion|compile_info|capabilities|changeset|commandline|domain_handle)(\..*)?':
        'an array, without a structure around it',
    r'xen_memory_domain(\..*)?': 'a bare domid',
    r'xen_dom(ctl|ctl_createdomain)\.(altp2m|arch|u|pad)': 'a union, or split further',
    r'vcpu_guest_core_regs\.(x|cpsr)': 'x0 to x30, each a union with a name of 32-bit guests',
    r'xen_domctl_getdomaininfo\.arch_config size': 'the architecture, with room to grow',
    r'xen_(varbuf|domctl_set_llc_colors)(\..*)?': 'younger than 4.17',
    r'xen_arch_domainconfig\.(sve_vl|arm_sci_type|v8r_el1_msa|pad)': 'younger than the header, or a hole',
}
SIZE_LATER = {'xen_arch_domainconfig'}  # grew: what is there is compared


def members_of(text):
    """Names of structures and of their own members, those in nested ones left out."""
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    for m in re.finditer(r'^struct (\w+) \{\n(.*?)^\}', text, re.S | re.M):
        names, depth = [], 0
        for line in m.group(2).split('\n'):
            if depth == 0 and '{' not in line:
                decl = re.match(r'\s+(?:struct |union )?\w+ (.*);', line)
                for name in decl.group(1).split(',') if decl else []:
                    names.append(re.match(r'\s*\*?(\w+)', name).group(1))
            depth += line.count('{') - line.count('}')
        yield m.group(1), names


def declared():
    structs, constants = {}, []
    for header in HEADERS:
        path = os.path.join('abi/xen', header)
        if os.path.exists(path):
            text = open(path).read()
            structs.update(members_of(text))
            constants += re.findall(r'^#define ([A-Z_]\w+) \S', text, re.M)
    return structs, constants


def is_own(name):
    return any(re.fullmatch(p, name) for p in OWN)


def measure(include, structs, constants):
    """Name -> value, for what those headers have."""
    names = []
    for s, members in structs.items():
        names.append((s, f'sizeof(struct {s})'))
        for m in members:
            names.append((f'{s}.{m}', f'__builtin_offsetof(struct {s}, {m})'))
            names.append((f'{s}.{m} size', f'sizeof(((struct {s} *)0)->{m})'))
    with tempfile.TemporaryDirectory() as tmp:
        while True:
            source = '#include <stdint.h>\n#include <stddef.h>\n'
            source += ''.join(f'#include <xen/{h}>\n' for h in HEADERS
                              if os.path.exists(os.path.join(include, 'xen', h)))
            source += 'unsigned long table[] __attribute__((section(".abi"))) = {\n'
            source += ''.join(f'{value},\n' for _, value in names)
            for c in constants:
                source += f'#ifdef {c}\n(unsigned long)({c}), 1,\n#else\n0, 0,\n#endif\n'
            source += '};\n'
            open(f'{tmp}/t.c', 'w').write(source)
            first = source[:source.index('table[]')].count('\n') + 2
            run = subprocess.run(CC + ['-I', include, '-c', '-o', f'{tmp}/t.o', f'{tmp}/t.c'],
                                 capture_output=True, text=True)
            if run.returncode == 0:
                break
            bad = {int(n) for n in re.findall(r't\.c:(\d+):\d+: error', run.stderr)}
            in_structs = {n for n in bad if first <= n < first + len(names)}
            if not in_structs:
                # A constant that is no number.
                for n in bad:
                    line = source.split('\n')[n - 1]
                    m = re.match(r'\(unsigned long\)\((\w+)\)', line)
                    if not m:
                        sys.exit(run.stderr)
                    constants = [c for c in constants if c != m.group(1)]
            names = [x for i, x in enumerate(names) if first + i not in in_structs]
        subprocess.run(['aarch64-linux-gnu-objcopy', '-O', 'binary', '-j', '.abi', f'{tmp}/t.o',
                        f'{tmp}/t.bin'], check=True)
        data = open(f'{tmp}/t.bin', 'rb').read()
    values = [int.from_bytes(data[i:i + 8], 'little') for i in range(0, len(data), 8)]
    found = {name: v for (name, _), v in zip(names, values)}
    rest = values[len(names):]
    for i, c in enumerate(constants):
        if rest[2 * i + 1]:
            found[f'#{c}'] = rest[2 * i]
    return found


def layouts(version):
    """Structure -> (size, pieces) for callers of these versions of domctl and sysctl."""
    result = {}
    for line in open('abi/tables/layout.tbl'):
        f = line.split()
        if f[:1] == ['layout']:
            v = version['sysctl' if 'sysctl' in f[1] else 'domctl']
            if int(f[2], 0) <= v <= int(f[3], 0):
                result[f[1]] = (int(f[4]), [tuple(map(int, p.split(':'))) for p in f[5:]])
    return result


def expected(name, ours, layout):
    """Our value as a caller of that release has it; None: it has no such thing."""
    struct, _, member = name.partition('.')
    if struct not in layout:
        return ours[name]
    size, pieces = layout[struct]
    if not member:
        return size
    if member.endswith(' size'):
        return ours[name]
    for own, wire, nr in pieces:
        if own <= ours[name] < own + nr:
            return wire + ours[name] - own
    return None


def compare(directory, structs, constants, ours):
    include = os.path.join(directory, 'usr/include')
    theirs = measure(include, structs, constants)
    text = {h: open(os.path.join(include, 'xen', h + '.h')).read() for h in ('domctl', 'sysctl')}
    version = {h: int(re.search(r'INTERFACE_VERSION (0x\w+)', t).group(1), 16)
               for h, t in text.items()}
    layout = layouts(version)
    checked, wrong = 0, []
    for name in ours:
        if is_own(name) or is_own(name.split(' ')[0]):
            continue
        if name not in theirs:
            if not name.startswith('#') and expected(name, ours, layout) is not None:
                wrong.append(f'{name} is not in {directory}')
            continue
        want = expected(name, ours, layout)
        checked += 1
        if theirs[name] != want and not (name in SIZE_LATER and theirs[name] < ours[name]):
            wrong.append(f'{name}: {want} here, {theirs[name]} in {directory}')
    return checked, wrong


def main():
    structs, constants = declared()
    ours = measure('abi', structs, constants)
    passed = failed = 0
    for directory in sys.argv[1:]:
        checked, wrong = compare(directory, structs, constants, ours)
        for w in wrong:
            print(f'# {w}')
        ok = not wrong and checked > 300
        passed, failed = passed + ok, failed + (not ok)
        print(f'{"ok" if ok else "not ok"} - abi: {checked} facts of {directory} are those of abi/xen')
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
