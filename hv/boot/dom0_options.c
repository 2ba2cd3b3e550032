/* SPDX-License-Identifier: MIT */
/*
 * Boot options, spelled as Xen's (docs/misc/xen-command-line of Xen): words with
 * values, as in "dom0_mem=512M dom0_max_vcpus=2". What is accepted here has a
 * row in a table: with a reader, or without one if nothing follows from it on
 * this hypervisor. Anything else, and a value that is none, is named on the console and ignored.
 */
#include <xen/errno.h>

#include <loam/log.h>
#include <loam/string.h>

#include "private.h"

#define WORD_MAX 128

/* A number in decimal, or hexadecimal with 0x. NULL: there is none, or more than 64 bits. */
static const char *number_read(const char *s, uint64_t *out)
{
    uint32_t base = s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10;
    const char *first = base == 16 ? s + 2 : s;
    uint64_t value = 0;
    for (s = first;; s++) {
        uint32_t digit = *s >= '0' && *s <= '9'   ? (uint32_t)(*s - '0')
                         : *s >= 'a' && *s <= 'f' ? (uint32_t)(*s - 'a' + 10)
                         : *s >= 'A' && *s <= 'F' ? (uint32_t)(*s - 'A' + 10)
                                                  : 16;
        if (digit >= base) {
            *out = value;
            return s == first ? NULL : s;
        }
        if (value > (UINT64_MAX - digit) / base) {
            return NULL;
        }
        value = value * base + digit;
    }
}

/* A size with B, K, M, G or T behind it; KiB without. NULL: it is none. */
static const char *size_read(const char *s, uint64_t *out)
{
    static const char units[] = { 'b', 'k', 'm', 'g', 't' };
    uint32_t shift = 10;
    s = number_read(s, out);
    for (uint32_t i = 0; s && i < ARRAY_SIZE(units); i++) {
        if ((*s | 0x20) == units[i]) {
            shift = 10 * i;
            s++;
            break;
        }
    }
    if (!s || *out > UINT64_MAX >> shift) {
        return NULL;
    }
    *out <<= shift;
    return s;
}

/* dom0_mem=[min:SIZE,][max:SIZE,]SIZE, in any order. */
static bool read_memory(struct dom0_options *o, const char *value)
{
    struct dom0_options found = *o;
    for (const char *s = value;; s++) {
        uint64_t *to = &found.memory;
        if (strncmp(s, "min:", 4) == 0 || strncmp(s, "max:", 4) == 0) {
            to = s[1] == 'i' ? &found.memory_min : &found.memory_max;
            s += 4;
        }
        s = size_read(s, to);
        if (!s || *to < PAGE_SIZE || (*s != ',' && *s != '\0')) {
            return false;
        }
        if (*s == '\0') {
            *o = found;
            return true;
        }
    }
}

/* dom0_max_vcpus=N, MIN-MAX, MIN- or -MAX. */
static bool read_vcpus(struct dom0_options *o, const char *value)
{
    uint64_t low = 1, high = DOMAIN_VCPUS_MAX;
    const char *s = value;
    if (*s != '-') {
        s = number_read(s, &low);
        high = s && *s == '\0' ? low : high;
    }
    if (s && *s == '-' && *++s != '\0') {
        s = number_read(s, &high);
    }
    if (!s || *s != '\0' || low == 0 || low > high || high > DOMAIN_VCPUS_MAX) {
        return false;
    }
    o->vcpus_min = (uint32_t)low;
    o->vcpus_max = (uint32_t)high;
    return true;
}

/* A word that is true alone and as "no-WORD" is not: yes, on, true, enable, 1 and their opposites.
 */
static bool read_bool(const char *value, bool *out)
{
    static const char *const words[][2] = {
        { "no", "yes" },         { "off", "on" }, { "false", "true" },
        { "disable", "enable" }, { "0", "1" },
    };
    if (*value == '\0') {
        *out = true;
        return true;
    }
    for (uint32_t i = 0; i < 2 * ARRAY_SIZE(words); i++) {
        if (strcmp(value, words[i / 2][i % 2]) == 0) {
            *out = i % 2;
            return true;
        }
    }
    return false;
}

static bool read_pin(struct dom0_options *o, const char *value)
{
    return read_bool(value, &o->pin);
}

static bool read_no_reboot(struct dom0_options *o, const char *value)
{
    return read_bool(value, &o->no_reboot);
}

static bool read_extended(struct dom0_options *o, const char *value)
{
    bool on = false;
    bool ok = read_bool(value, &on);
    o->no_extended = ok ? !on : o->no_extended;
    return ok;
}

static const struct option {
    const char *name;
    bool (*read)(struct dom0_options *o, const char *value); /* NULL: nothing follows from it */
} options[] = {
    { "dom0_max_vcpus", read_vcpus },
    { "dom0_mem", read_memory },
    { "dom0_vcpus_pin", read_pin },
    { "ext_regions", read_extended },
    { "noreboot", read_no_reboot },
    /* The console is the one that /chosen stdout-path names; RAM is scrubbed when it is given out;
     * and the schedulers, logs and tables have the limits that they have. */
    { "acpi", NULL },
    { "bootscrub", NULL },
    { "bootscrub_chunk", NULL },
    { "com1", NULL },
    { "com2", NULL },
    { "conring_size", NULL },
    { "console", NULL },
    { "console_timestamps", NULL },
    { "console_to_ring", NULL },
    { "conswitch", NULL },
    { "cpufreq", NULL },
    { "cpuidle", NULL },
    { "credit2_runqueue", NULL },
    { "dom0", NULL },
    { "dom0_nodes", NULL },
    { "dtuart", NULL },
    { "flask", NULL },
    { "gnttab", NULL },
    { "gnttab_max_frames", NULL },
    { "gnttab_max_maptrack_frames", NULL },
    { "guest_loglvl", NULL },
    { "hmp-unsafe", NULL },
    { "iommu", NULL },
    { "loglvl", NULL },
    { "maxcpus", NULL },
    { "placeholder", NULL },
    { "sched", NULL },
    { "serrors", NULL },
    { "smt", NULL },
    { "spec-ctrl", NULL },
    { "sync_console", NULL },
    { "tbuf_size", NULL },
    { "vwfi", NULL },
    { "watchdog", NULL },
    { "watchdog_timeout", NULL },
    { "xsm", NULL },
};

static const struct option *option_find(const char *name)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

/* word is NAME, NAME=VALUE or no-NAME; it is cut at the "=". */
static void word_read(struct plan_domain *pd, const char *prop, char *word)
{
    char *value = strchr(word, '=');
    if (value) {
        *value++ = '\0';
    }
    const struct option *option = option_find(word);
    bool negated = !option && !value && strncmp(word, "no-", 3) == 0;
    option = negated ? option_find(word + 3) : option;
    if (!option) {
        plan_warn(pd, NULL, prop, "\"%s\" is no boot option that is known, ignored", word);
        return;
    }
    const char *text = value ? value : negated ? "no" : "";
    if (option->read && !option->read(&pd->dom0->options, text)) {
        plan_warn(pd, NULL, prop, "%s: \"%s\" is none of its values, ignored", option->name, text);
    }
}

void dom0_options_read(struct plan_domain *pd, const char *prop, const char *text)
{
    char word[WORD_MAX];
    for (;;) {
        while (*text == ' ' || *text == '\t') {
            text++;
        }
        size_t len = 0;
        for (; text[len] != '\0' && text[len] != ' ' && text[len] != '\t'; len++) {
        }
        if (len == 0) {
            return;
        }
        size_t copied = MIN(len, sizeof(word) - 1);
        memcpy(word, text, copied);
        word[copied] = '\0';
        word_read(pd, prop, word);
        text += len;
    }
}
