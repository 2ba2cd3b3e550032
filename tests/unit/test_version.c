/* SPDX-License-Identifier: MIT */
/* core/version.c: what a guest reads about its hypervisor. */
#include <xen/version.h>
#include <xen/xen.h>

#include "dom.h"

static struct domain *begin(struct world **w, bool direct_map)
{
    struct domain_config c = { .name = "guest", .vcpus_max = 1, .enhanced = true,
                               .direct_map = direct_map };

    *w = dom_world(1);
    struct domain *d = dom_create_with(*w, &c);
    domain_start(d);
    dom_run(*w, 0, 0);
    return d;
}

/* The text that operation op puts into memory full of rubbish. */
static void ask(struct world *w, struct domain *d, uint64_t op, char *text, size_t size)
{
    memset(text, 'Z', size);
    CHECK(fake_guest_write(d->vcpus[0], gpa(DOM_RAM), text, size));
    CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, op, DOM_RAM, 0), 0);
    CHECK(fake_guest_read(d->vcpus[0], gpa(DOM_RAM), text, size));
}

TEST(values)
{
    struct world *w;
    struct domain *d = begin(&w, false);

    CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, 0, 0, 0), 4 << 16 | 17);
    CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, 7, 0, 0), PAGE_SIZE);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(texts_are_terminated_and_cleared_to_their_end)
{
    static const struct {
        uint64_t op;
        size_t size;
        const char *text; /* NULL: any but an empty one */
    } texts[] = {
        { 1, sizeof(struct xen_extraversion), ".0-loam" },
        { 3, sizeof(struct xen_capabilities), "xen-3.0-fake " },
        { 4, sizeof(struct xen_changeset), "unavailable" },
        { 8, sizeof(struct xen_domain_handle), "" },
        { 9, sizeof(struct xen_commandline), "" },
    };
    struct world *w;
    struct domain *d = begin(&w, false);

    for (uint32_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char text[1024 + 1] = { 0 };

        ask(w, d, texts[i].op, text, texts[i].size + 1);
        CHECK_STR(text, texts[i].text);
        for (size_t j = strlen(texts[i].text); j < texts[i].size; j++) {
            CHECK_EQ(text[j], 0);
        }
        CHECK_EQ(text[texts[i].size], 'Z');
    }
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(compile_info)
{
    struct xen_compile_info info;
    struct world *w;
    struct domain *d = begin(&w, false);

    ask(w, d, 2, (char *)&info, sizeof(info));
    CHECK(info.compiler[0] != '\0' && memchr(info.compiler, 0, sizeof(info.compiler)) != NULL);
    CHECK_STR(info.compile_by, "loam");
    CHECK_EQ(info.compile_date[0], 0);
    dom_destroy(w, d);
    world_destroy(w);
}

static uint32_t features(struct world *w, struct domain *d, uint32_t index, int64_t *rc)
{
    struct xen_feature_info info = { .submap_idx = index, .submap = 0x5a5a5a5a };

    CHECK(fake_guest_write(d->vcpus[0], gpa(DOM_RAM), &info, sizeof(info)));
    *rc = dom_hypercall(w, 0, __HYPERVISOR_xen_version, 6, DOM_RAM, 0);
    CHECK(fake_guest_read(d->vcpus[0], gpa(DOM_RAM), &info, sizeof(info)));
    return info.submap;
}

TEST(features_say_how_memory_is_mapped)
{
    for (int direct = 0; direct < 2; direct++) {
        struct world *w;
        struct domain *d = begin(&w, direct);
        int64_t rc;
        uint32_t map = features(w, d, 0, &rc);

        CHECK_EQ(rc, 0);
        CHECK(map & BIT(XENFEAT_auto_translated_physmap));
        CHECK_EQ(!!(map & BIT(XENFEAT_direct_mapped)), direct);
        CHECK_EQ(!!(map & BIT(XENFEAT_not_direct_mapped)), !direct);
        CHECK(!(map & BIT(XENFEAT_dom0)));
        /* There is one word of them; a refused call writes nothing. */
        CHECK_EQ(features(w, d, 1, &rc), 0x5a5a5a5a);
        CHECK_EQ(rc, -XEN_EINVAL);
        dom_destroy(w, d);
        world_destroy(w);
    }
}

/* A text of any length: how long it is, then the bytes, without a zero. */
TEST(texts_without_a_limit)
{
    static const struct {
        uint64_t op;
        const char *text;
    } texts[] = { { 10, "\1\2\3\4\5\6\7\10" }, { 11, ".0-loam" }, { 12, "xen-3.0-fake " },
                  { 13, "unavailable" }, { 14, "" } };
    struct world *w;
    struct domain *d = begin(&w, false);

    for (uint32_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct {
            uint32_t len;
            char text[28];
        } buf;
        size_t size = strlen(texts[i].text);

        memset(&buf, 'Z', sizeof(buf));
        CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, texts[i].op, 0, 0), size);
        buf.len = sizeof(buf.text);
        CHECK(fake_guest_write(d->vcpus[0], gpa(DOM_RAM), &buf, sizeof(buf)));
        CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, texts[i].op, DOM_RAM, 0), size);
        CHECK(fake_guest_read(d->vcpus[0], gpa(DOM_RAM), &buf, sizeof(buf)));
        CHECK(memcmp(buf.text, texts[i].text, size) == 0 && buf.text[size] == 'Z');
        if (size != 0) {
            buf.len = (uint32_t)size - 1;
            CHECK(fake_guest_write(d->vcpus[0], gpa(DOM_RAM), &buf, sizeof(buf)));
            CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, texts[i].op, DOM_RAM, 0),
                     -XEN_ENOBUFS);
            CHECK_EQ(dom_hypercall(w, 0, __HYPERVISOR_xen_version, texts[i].op,
                                   UINT64_C(0x7000000000), 0), -XEN_EFAULT);
        }
    }
    dom_destroy(w, d);
    world_destroy(w);
}
