/* SPDX-License-Identifier: MIT */
/*
 * The part of QEMU's TCG plugin interface that the counter uses.
 *
 * Debian's QEMU loads plugins but ships no header, so the interface is declared here: plugin API
 * level 4, as QEMU 10.0 exports it (QEMU documentation, "TCG Plugins", API reference). Only names,
 * argument order and enumerator values matter to the loader; all of them were checked by running
 * the counter's self test. GLib's two array types cross the interface as { data, length } pairs.
 */
#ifndef BENCH_QEMU_API_H
#define BENCH_QEMU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_API 4
#define PLUGIN_EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;

/* What qemu_plugin_install() is told about the emulator. */
struct qemu_plugin_info {
    const char *target_name;
    struct {
        int min;
        int cur;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus;
        int max_vcpus;
    } system;
};

/* One element of the array that qemu_plugin_get_registers() returns. */
struct qemu_plugin_reg_descriptor {
    struct qemu_plugin_register *handle;
    const char *name;
    const char *feature;
};

struct glib_array {
    char *data;
    unsigned int len;
};

struct glib_byte_array {
    uint8_t *data;
    unsigned int len;
};

enum qemu_plugin_cb_flags {
    QEMU_PLUGIN_CB_NO_REGS = 0,
    QEMU_PLUGIN_CB_R_REGS = 1,
};

struct glib_byte_array *g_byte_array_new(void);
struct glib_byte_array *g_byte_array_set_size(struct glib_byte_array *array, unsigned int length);

typedef void (*qemu_vcpu_cb)(uint64_t id, unsigned int vcpu);
typedef void (*qemu_exit_cb)(uint64_t id, void *opaque);
typedef void (*qemu_translate_cb)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*qemu_exec_cb)(unsigned int vcpu, void *opaque);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, qemu_vcpu_cb cb);
void qemu_plugin_register_atexit_cb(uint64_t id, qemu_exit_cb cb, void *opaque);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, qemu_translate_cb cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_exec_cb cb,
                                            enum qemu_plugin_cb_flags flags, void *opaque);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *buffer, size_t length);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

struct glib_array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *reg, struct glib_byte_array *buffer);

#endif
