/* SPDX-License-Identifier: MIT */
/* Reports as records: vantages, names, labels, networks, ids. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/report.h"
#include "common/text.h"

static struct px_addr addr(const char *text)
{
    struct px_addr a;
    cr_assert(px_addr_parse(text, &a));
    return a;
}

static void label_add(struct px_vantage *v, const char *key, const char *value)
{
    struct px_label *l = &v->labels[v->label_count++];
    px_text_copy(l->key, sizeof(l->key), key);
    px_text_copy(l->value, sizeof(l->value), value);
}

Test(report, vantages_and_observations_are_appended)
{
    struct px_report r;
    struct px_observation o;
    px_report_init(&r);
    px_observation_init(&o);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "v%d", i);
        cr_assert_str_eq(px_report_add_vantage(&r, name)->name, name);
        o.vantage = (uint32_t)i;
        cr_assert_eq(px_report_add_observation(&r, &o)->vantage, (uint32_t)i);
        px_report_add_observation(&r, &r.observations[0]);
    }
    cr_assert_eq(px_report_find_vantage(&r, "v49"), 49);
    cr_assert_eq(px_report_find_vantage(&r, "v50"), -1);
    cr_assert_eq(r.observation_count, 100);
    cr_assert_eq(r.observations[99].vantage, 0);
    px_report_clear(&r);
    cr_assert_eq(r.vantage_count, 0);
    px_report_clear(&r);
}

Test(report, names)
{
    static const char *const good[] = {"here", "fra1", "0", "a.b-c_d", "9-x"};
    static const char *const bad[] = {"", "Fra1", "-a", ".a", "_a", "a b", "a/b", "fra1\n", "\xc3"};
    char longest[PX_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(px_name_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(px_name_valid(bad[i]), "%s", bad[i]);
    cr_assert_not(px_name_valid(NULL));
    memset(longest, 'a', sizeof(longest));
    longest[PX_NAME_MAX + 1] = '\0';
    cr_assert_not(px_name_valid(longest));
    longest[PX_NAME_MAX] = '\0';
    cr_assert(px_name_valid(longest));
}

Test(report, labels_and_the_network_column)
{
    struct px_vantage v = {0};
    char out[PX_LABEL_MAX + 3];
    cr_assert_str_eq(px_vantage_network(&v, out), "-");
    label_add(&v, "eu", "");
    cr_assert_str_eq(px_vantage_label(&v, "eu"), "");
    cr_assert_null(px_vantage_label(&v, "asn"));
    label_add(&v, "asn", "64496");
    cr_assert_str_eq(px_vantage_network(&v, out), "AS64496");
    strcpy(v.labels[1].value, "as64496");
    cr_assert_str_eq(px_vantage_network(&v, out), "AS64496");
    label_add(&v, "network", "office");
    cr_assert_str_eq(px_vantage_network(&v, out), "office");
}

Test(report, same_network)
{
    static const struct {
        const char *asn_a, *net_a, *addr_a, *asn_b, *net_b, *addr_b;
        bool same;
    } cases[] = {
        {"1", "", "192.0.2.1", "AS1", "", "198.51.100.1", true},
        {"1", "", "192.0.2.1", "2", "", "192.0.2.2", false},
        {"1", "", "192.0.2.1", "2", "", "192.0.2.1", true}, /* one egress address */
        {"1", "x", "192.0.2.1", "1", "y", "192.0.2.2", true},
        {"", "x", "192.0.2.1", "", "x", "198.51.100.1", true},
        {"", "x", "192.0.2.1", "", "y", "192.0.2.2", false},
        {"", "", "192.0.2.1", "", "", "192.0.99.1", true},
        {"", "", "192.0.2.1", "", "", "192.1.2.1", false},
        {"", "", "2001:db8::1", "", "", "2001:db8:ffff::1", true},
        {"", "", "2001:db8::1", "", "", "2001:db9::1", false},
        {"1", "", "192.0.2.1", "", "x", "198.51.100.1", false}, /* labels of different kinds */
        {"", "", "192.0.2.1", "", "", "2001:db8::1", true},     /* not known to differ */
        {"", "", "", "", "", "192.0.2.1", true},
        {"", "", "", "", "", "", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_vantage a = {0}, b = {0};
        label_add(&a, "asn", cases[i].asn_a);
        label_add(&a, "network", cases[i].net_a);
        label_add(&b, "asn", cases[i].asn_b);
        label_add(&b, "network", cases[i].net_b);
        if (cases[i].addr_a[0] != '\0')
            a.seen_as = addr(cases[i].addr_a);
        if (cases[i].addr_b[0] != '\0')
            b.seen_as = addr(cases[i].addr_b);
        cr_assert_eq(px_vantage_same_network(&a, &b), cases[i].same, "case %zu", i);
        cr_assert_eq(px_vantage_same_network(&b, &a), cases[i].same, "case %zu", i);
    }
}

Test(report, ids_are_new_and_in_order_of_time)
{
    char ids[100][PX_ID_TEXT];
    for (int i = 0; i < 100; i++) {
        px_id_new((1795183331120 + i) * PX_MS, ids[i]);
        cr_assert_eq(strlen(ids[i]), 26);
        cr_assert_eq(strspn(ids[i], "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
        cr_assert(i == 0 || strcmp(ids[i - 1], ids[i]) < 0);
    }
    px_id_new(0, ids[0]);
    px_id_new(0, ids[1]);
    cr_assert_str_neq(ids[0], ids[1]);
    cr_assert_eq(strncmp(ids[0], "0000000000", 10), 0);
    px_id_new(INT64_C(1469918176385) * PX_MS, ids[0]);
    cr_assert_eq(strncmp(ids[0], "01ARYZ6S41", 10), 0, "the example of the ULID specification");
}
