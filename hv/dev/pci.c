/* SPDX-License-Identifier: MIT */
/*
 * Host bridges and the devices on their root buses. Contract: loam/pci.h.
 *
 * Whatever the firmware did is undone: at first no device answers. A device that is
 * planned for a domain gets addresses for its BARs once, in the bridge's windows, each
 * range in pages of its own, so that mapping one to a guest shows nothing else. The
 * addresses stay for good; what a guest writes to its BARs moves only what it sees.
 * Buses behind bridges are not looked at.
 */
#include <arch/guest.h>
#include <arch/mmu.h>
#include <arch/time.h>
#include <loam/bits.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pci.h>
#include <loam/printf.h>
#include <xen/errno.h>

#define BUS_SIZE (UINT64_C(1) << 20) /* ECAM of one bus */
#define CONFIG_SIZE 0x1000 /* and of one function */
#define FLR_TIME (100 * NS_PER_MS) /* PCIe 6.6.2: until the function can be used again */

#define EXPRESS_DEVCAP 0x04
#define EXPRESS_DEVCAP_FLR BIT(28)
#define EXPRESS_DEVCTL 0x08
#define EXPRESS_DEVCTL_FLR BIT(15)
#define AF_CAPS 0x03
#define AF_CAPS_FLR BIT(1)
#define AF_CONTROL 0x04
#define AF_CONTROL_FLR BIT(0)

/* --- Configuration space by ECAM (PCIe 7.2.2) ------------------------------ */

static uintptr_t config_address(const struct pci *p, uint8_t devfn, uint32_t reg)
{
    return p->ecam + (uintptr_t)devfn * CONFIG_SIZE + reg;
}

static uint32_t ecam_read(const struct pci *p, uint8_t devfn, uint32_t reg, uint32_t size)
{
    uintptr_t at = config_address(p, devfn, reg);

    switch (size) {
    case 1:
        return *(volatile uint8_t *)at;
    case 2:
        return *(volatile uint16_t *)at;
    default:
        return *(volatile uint32_t *)at;
    }
}

static void ecam_write(const struct pci *p, uint8_t devfn, uint32_t reg, uint32_t size,
                       uint32_t value)
{
    uintptr_t at = config_address(p, devfn, reg);

    switch (size) {
    case 1:
        *(volatile uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    default:
        *(volatile uint32_t *)at = value;
        break;
    }
}

static const struct pci_access ecam_access = { ecam_read, ecam_write };

uint32_t pci_next_cap(const struct pci_dev *dev, uint32_t at)
{
    if (at == 0 && !(pci_read(dev, PCI_STATUS, 2) & PCI_STATUS_CAPS)) {
        return 0;
    }
    uint32_t next = pci_read(dev, at == 0 ? PCI_CAPS : at + 1, 1) & ~3u;

    return next < 0x40 ? 0 : next;
}

/* --- Devices --------------------------------------------------------------- */

static void find_reset(struct pci_dev *dev)
{
    uint32_t at = 0;

    for (uint32_t n = 0; n < PCI_CAPS_MAX && (at = pci_next_cap(dev, at)) != 0; n++) {
        uint32_t id = pci_read(dev, at, 1);

        if (id == PCI_CAP_EXPRESS && pci_read(dev, at + EXPRESS_DEVCAP, 4) & EXPRESS_DEVCAP_FLR) {
            dev->flr_reg = (uint8_t)(at + EXPRESS_DEVCTL);
        } else if (id == PCI_CAP_AF && dev->flr_reg == 0 &&
                   pci_read(dev, at + AF_CAPS, 1) & AF_CAPS_FLR) {
            dev->flr_reg = (uint8_t)(at + AF_CONTROL);
            dev->flr_af = true;
        }
    }
}

/* The bits of a BAR that can be written (PCI 6.2.5.1); what it holds stays. */
static uint32_t bar_mask(const struct pci_dev *dev, uint32_t reg)
{
    uint32_t old = pci_read(dev, reg, 4);

    pci_write(dev, reg, 4, UINT32_MAX);
    uint32_t mask = pci_read(dev, reg, 4);
    pci_write(dev, reg, 4, old);
    return mask;
}

/* Finds the size of BAR i, memory decoding is off. Returns how many registers it takes. */
static uint32_t bar_find(struct pci_dev *dev, uint32_t i)
{
    uint32_t reg = PCI_BAR0 + 4 * i, flags = pci_read(dev, reg, 4);
    bool is_64 = !(flags & PCI_BAR_IO) && (flags & PCI_BAR_64) && i + 1 < PCI_BARS;

    if (flags & PCI_BAR_IO) {
        return 1; /* port I/O is for nobody */
    }
    uint64_t mask = bar_mask(dev, reg) & ~UINT64_C(0xf);

    mask |= (is_64 ? (uint64_t)bar_mask(dev, reg + 4) : UINT32_MAX) << 32;
    uint64_t size = ~mask + 1;
    if (mask << 32 == 0 && !is_64) {
        size = 0; /* not there */
    }
    if (is_power_of_two(size)) {
        dev->bar[i] = (struct pci_bar){ .size = MAX(size, PAGE_SIZE),
                                        .is_64 = is_64,
                                        .prefetch = flags & PCI_BAR_PREFETCH };
    }
    return is_64 ? 2 : 1;
}

static int device_add(struct pci *p, uint8_t devfn)
{
    struct pci_dev *dev = mem_alloc(p->hv, sizeof(*dev));

    if (dev == NULL) {
        return -XEN_ENOMEM;
    }
    dev->pci = p;
    dev->devfn = devfn;
    dev->rid = (uint16_t)(p->bus << 8 | devfn);
    dev->used = true; /* by the firmware, for all we know */
    fmt_print(dev->name, sizeof(dev->name), "%04x:%02x:%02x.%u", p->segment, p->bus, devfn >> 3,
              devfn & 7u);
    list_push_back(&p->devices, &dev->link);
    pci_write(dev, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
    dev->pin = (uint8_t)pci_read(dev, PCI_PIN, 1);
    find_reset(dev);
    for (uint32_t i = 0; i < PCI_BARS;) {
        i += bar_find(dev, i);
    }
    return 0;
}

/* Function `devfn`, if there is one; *multi: its device has more than function 0. */
static int function_probe(struct pci *p, uint8_t devfn, bool *multi)
{
    if ((p->access->read(p, devfn, PCI_VENDOR, 2) & 0xffff) == 0xffff) {
        return 0;
    }
    uint32_t header = p->access->read(p, devfn, PCI_HEADER, 1);

    *multi = *multi || (header & PCI_HEADER_MULTI);
    switch (header & ~PCI_HEADER_MULTI & 0xff) {
    case 0:
        return device_add(p, devfn);
    case 1:
        log_info(p->hv, "pci: %04x:%02x:%02x.%u is a bridge: what is behind it is not used",
                 p->segment, p->bus, devfn >> 3, devfn & 7u);
        return 0;
    default:
        return 0; /* a CardBus bridge, or none that the specification knows */
    }
}

static int bus_scan(struct pci *p)
{
    uint32_t nr = 0;
    int rc = 0;

    for (uint32_t device = 0; device < 32 && rc == 0; device++) {
        bool multi = false;

        rc = function_probe(p, PCI_DEVFN(device, 0), &multi);
        for (uint32_t function = 1; function < 8 && multi && rc == 0; function++) {
            rc = function_probe(p, PCI_DEVFN(device, function), &multi);
        }
    }
    struct pci_dev *dev;
    list_for_each_entry(&p->devices, dev, link) { nr++; }
    if (rc == 0) {
        log_info(p->hv, "pci: %04x:%02x has %u devices", p->segment, p->bus, nr);
    }
    return rc;
}

/* --- Host bridges ---------------------------------------------------------- */

/* ranges of a PCI bus: 3 cells with the kind in the first (IEEE 1275 PCI 2.2.1.1), address, size.
 */
static void windows_read(struct pci *p, const struct fdt *host)
{
    uint32_t address = fdt_address_cells(host, fdt_parent(host, p->node)), len;
    const uint8_t *data = fdt_prop(host, p->node, "ranges", &len);
    uint32_t entry = 4 * (3 + address + 2);

    if (data == NULL || address < 1 || address > 2 || len % entry != 0) {
        return;
    }
    for (uint32_t at = 0; at < len && p->nr_windows < PCI_WINDOWS_MAX; at += entry) {
        uint32_t kind = get_be32(data + at);
        struct pci_window w = {
            .pci = get_be64(data + at + 4),
            .cpu = fdt_read_cells(data + at + 12, address),
            .size = get_be64(data + at + 12 + 4 * (size_t)address),
            .is_64 = (kind >> 24 & 3) == 3,
            .prefetch = kind >> 30 & 1,
        };
        bool is_memory = (kind >> 24 & 2) != 0;

        if (is_memory && w.size != 0 && w.pci + w.size > w.pci && w.cpu + w.size > w.cpu &&
            fdt_translate(host, p->node, &w.cpu) == 0) {
            p->window[p->nr_windows++] = w;
        }
    }
}

static int bridge_read(struct pci *p, const struct fdt *host)
{
    uint32_t first = 0;
    uint64_t addr;

    if (fdt_reg_translated(host, p->node, 0, &addr, &p->ecam_size) || p->ecam_size < BUS_SIZE) {
        log_warn(p->hv, "pci: %s: reg has no room for a bus, left out", fdt_name(host, p->node));
        return -XEN_ENODEV;
    }
    p->ecam_at = hpa(addr);
    if (fdt_cell(host, p->node, "bus-range", 0, &first) == 0 && first > 0xff) {
        log_warn(p->hv, "pci: %s: bus-range begins at %u, left out", fdt_name(host, p->node),
                 first);
        return -XEN_ENODEV;
    }
    p->bus = (uint8_t)first;
    p->segment = fdt_u32_or(host, p->node, "linux,pci-domain", 0);
    p->coherent = fdt_has_prop(host, p->node, "dma-coherent");
    windows_read(p, host);
    return 0;
}

static void bridge_free(struct pci *p)
{
    struct pci_dev *dev, *next;

    list_for_each_entry_safe(&p->devices, dev, next, link)
    {
        list_remove(&dev->link);
        mem_free(p->hv, dev, sizeof(*dev));
    }
    mem_free(p->hv, p, sizeof(*p));
}

int pci_open(struct hv *hv, const struct fdt *host, struct fdt_node node,
             const struct pci_access *access)
{
    struct pci *p = mem_alloc(hv, sizeof(*p));

    if (p == NULL) {
        return -XEN_ENOMEM;
    }
    *p = (struct pci){ .hv = hv, .node = node, .access = access ? access : &ecam_access };
    list_init(&p->devices);
    int rc = bridge_read(p, host);
    if (rc == 0 && access == NULL) {
        p->ecam = arch_map_device(hv, p->ecam_at, BUS_SIZE);
        if (p->ecam == 0) {
            log_warn(hv, "pci: %s: its registers cannot be mapped, left out", fdt_name(host, node));
            rc = -XEN_ENODEV;
        }
    }
    if (rc == 0) {
        rc = bus_scan(p);
    }
    if (rc) {
        bridge_free(p);
        return rc;
    }
    p->next = hv->pci;
    hv->pci = p;
    return 0;
}

int pci_probe(struct hv *hv, const struct fdt *host)
{
    struct fdt_node node;

    if (hv->pci != NULL) {
        return 0;
    }
    for_each_fdt_compatible(host, "pci-host-ecam-generic", node)
    {
        int rc = fdt_is_enabled(host, node) ? pci_open(hv, host, node, NULL) : 0;

        if (rc == -XEN_ENOMEM) {
            return rc;
        }
    }
    return 0;
}

void pci_close_all(struct hv *hv)
{
    while (hv->pci != NULL) {
        struct pci *p = hv->pci;

        hv->pci = p->next;
        bridge_free(p);
    }
}

struct pci_dev *pci_find(const struct hv *hv, uint32_t segment, uint32_t bus, uint8_t devfn)
{
    for (const struct pci *p = hv->pci; p != NULL; p = p->next) {
        struct pci_dev *dev;

        list_for_each_entry(&p->devices, dev, link)
        {
            if (p->segment == segment && p->bus == bus && dev->devfn == devfn) {
                return dev;
            }
        }
    }
    return NULL;
}

/* --- For a domain ---------------------------------------------------------- */

/* Room for bar in w; false: it does not fit, or must not be there. */
static bool window_take(struct pci_window *w, struct pci_bar *bar)
{
    uint64_t start = ALIGN_UP(w->pci + w->used, bar->size);
    uint64_t skip = start - w->pci;

    if (start < w->pci || skip > w->size || bar->size > w->size - skip ||
        (w->prefetch && !bar->prefetch)) {
        return false;
    }
    if (!bar->is_64 && start + bar->size - 1 > UINT32_MAX) {
        return false;
    }
    /* The machine's address must be as aligned as the bus's, or pages would be shared. */
    if (!IS_ALIGNED(w->cpu + skip, PAGE_SIZE)) {
        return false;
    }
    w->used = skip + bar->size;
    bar->pci = start;
    bar->cpu = hpa(w->cpu + skip);
    return true;
}

/* Windows of 64-bit addresses first for who can use them: the others have no choice. */
static bool bar_assign(struct pci *p, struct pci_bar *bar)
{
    for (uint32_t pass = bar->is_64 ? 0 : 1; pass < 2; pass++) {
        for (uint32_t i = 0; i < p->nr_windows; i++) {
            if (p->window[i].is_64 == (pass == 0) && window_take(&p->window[i], bar)) {
                return true;
            }
        }
    }
    return false;
}

int pci_assign(struct pci_dev *dev)
{
    if (dev->assigned) {
        return 0;
    }
    for (uint32_t i = 0; i < PCI_BARS; i++) {
        if (dev->bar[i].size != 0 && !bar_assign(dev->pci, &dev->bar[i])) {
            return -XEN_ENOSPC;
        }
    }
    dev->assigned = true;
    return 0;
}

int pci_interrupt(const struct pci_dev *dev, const struct fdt *host, uint32_t *irq, bool *edge)
{
    /* Bus, device and function are where they are in an address of the bus. */
    const uint32_t child[] = { (uint32_t)dev->rid << 8, 0, 0, dev->pin };
    struct fdt_interrupt in;

    if (dev->pin == 0 || dev->pin > 4) {
        return -XEN_ENOENT;
    }
    int rc = fdt_interrupt_map(host, dev->pci->node, child, ARRAY_SIZE(child), &in);

    return rc ? rc : arch_host_irq_of(dev->pci->hv, host, &in, irq, edge);
}

static void reset_begin(struct pci_dev *dev)
{
    uint32_t size = dev->flr_af ? 1 : 2;
    uint32_t bit = dev->flr_af ? AF_CONTROL_FLR : EXPRESS_DEVCTL_FLR;

    dev->used = false;
    if (dev->flr_reg != 0) {
        pci_write(dev, dev->flr_reg, size, pci_read(dev, dev->flr_reg, size) | bit);
        dev->ready_at = arch_time_now() + FLR_TIME;
    }
}

void pci_quiet(struct pci_dev *dev)
{
    pci_write(dev, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
    reset_begin(dev);
}

int pci_prepare(struct pci_dev *dev)
{
    if (dev->used) {
        pci_quiet(dev);
    }
    if (arch_time_now() < dev->ready_at) {
        return -XEN_EAGAIN;
    }
    pci_write(dev, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
    for (uint32_t i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &dev->bar[i];

        if (bar->size == 0) {
            continue;
        }
        pci_write(dev, PCI_BAR0 + 4 * i, 4, (uint32_t)bar->pci);
        if (bar->is_64) {
            pci_write(dev, PCI_BAR0 + 4 * i + 4, 4, (uint32_t)(bar->pci >> 32));
        }
    }
    dev->used = true;
    return 0;
}
