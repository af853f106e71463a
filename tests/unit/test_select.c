/* SPDX-License-Identifier: MIT */
/* Selectors on a small mesh. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/select.h"

static struct px_report mesh;

static void add(const char *name, const char *labels)
{
    struct px_vantage *v = px_report_add_vantage(&mesh, name);
    while (*labels) {
        size_t n = strcspn(labels, " "), key = strcspn(labels, "= ");
        struct px_label *l = &v->labels[v->label_count++];
        snprintf(l->key, sizeof l->key, "%.*s", (int)key, labels);
        if (key < n)
            snprintf(l->value, sizeof l->value, "%.*s", (int)(n - key - 1), labels + key + 1);
        labels += n + (labels[n] == ' ');
    }
}

static void setup(void)
{
    px_report_init(&mesh);
    add("here", "");
    add("fra1", "asn=64496 eu hetzner");
    add("hel1", "asn=64496 eu");
    add("iad1", "asn=64497 us app");
    add("sfo1", "asn=64497 us");
    add("vpn1", "network=office corp");
}

static void teardown(void)
{
    px_report_clear(&mesh);
}

/* The selected names, or "code: message". */
static const char *selected(const char *selector)
{
    static char out[1200];
    bool chosen[16];
    struct px_err err = {0};
    out[0] = '\0';
    int n = select_vantages(selector, mesh.vantages, mesh.vantage_count, chosen, &err);
    if (n < 0) {
        snprintf(out, sizeof out, "%s: %s | %s", err.code, err.message, err.hint);
        return out;
    }
    for (size_t i = 0; i < mesh.vantage_count; i++)
        if (chosen[i]) {
            strcat(out, out[0] ? " " : "");
            strcat(out, mesh.vantages[i].name);
            n--;
        }
    cr_assert_eq(n, 0);
    return out;
}

TestSuite(select, .init = setup, .fini = teardown);

Test(select, all_forms)
{
    static const struct {
        const char *selector, *names;
    } cases[] = {
        {"", "fra1 hel1 iad1 sfo1 vpn1"},
        {"all", "fra1 hel1 iad1 sfo1 vpn1"},
        {"fra1", "fra1"},
        {"here", "here"},
        {"here,fra1", "here fra1"},
        {"vpn1,fra1", "fra1 vpn1"},
        {" fra1 , hel1 ", "fra1 hel1"},
        {"tag:eu", "fra1 hel1"},
        {"tag:office", "vpn1"},
        {"tag:64497", "iad1 sfo1"},
        {"asn=64496", "fra1 hel1"},
        {"network=office", "vpn1"},
        {"tag:us+tag:app", "iad1"},
        {"asn=64496+!tag:hetzner", "hel1"},
        {"all,!vpn1", "fra1 hel1 iad1 sfo1"},
        {"!vpn1", "fra1 hel1 iad1 sfo1"},
        {"!vpn1,!fra1", "hel1 iad1 sfo1"},
        {"all,!tag:eu,fra1", "fra1 iad1 sfo1 vpn1"},
        {"tag:eu,tag:corp,!hel1", "fra1 vpn1"},
        {"tag:nobody,fra1", "fra1"},
        {"all+tag:us", "iad1 sfo1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_str_eq(selected(cases[i].selector), cases[i].names, "%s: %s", cases[i].selector,
                         selected(cases[i].selector));
}

Test(select, unknown_name_suggests_and_lists)
{
    cr_expect_str_eq(selected("fra-1"),
                     "no-such-vantage: no vantage \"fra-1\"; did you mean \"fra1\"? | known: here "
                     "fra1 hel1 iad1 sfo1 vpn1; tags: app corp eu hetzner us");
    cr_expect(strstr(selected("all,!gra9"), "no vantage \"gra9\""));
}

Test(select, nothing_selected_lists_tags)
{
    const char *text = selected("tag:apq");
    cr_expect(strstr(text, "empty-selector: \"tag:apq\" selects no vantage; tags in use: app "
                           "corp eu hetzner us"),
              "%s", text);
    cr_expect(strstr(selected("fra1+hel1"), "empty-selector"));
    cr_expect(strstr(selected("fra1,!fra1"), "empty-selector"));
}

Test(select, nonsense_is_refused)
{
    static const char *const cases[] = {",", "fra1,", "fra1++hel1", "!", "+", "fra1,,hel1", " "};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect(strstr(selected(cases[i]), "bad-selector"), "%s: %s", cases[i],
                  selected(cases[i]));
}

Test(select, empty_mesh_says_what_to_do)
{
    mesh.vantage_count = 1; /* only here */
    cr_expect(strstr(selected("all"), "no vantage yet"), "%s", selected("all"));
    cr_expect_str_eq(selected("here"), "here");
    mesh.vantage_count = 0;
    cr_expect(strstr(selected("all"), "token --state DIR --role node"));
}

Test(select, many_names_are_cut)
{
    char name[32];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "vantage-number-%d", i);
        add(name, "");
    }
    bool chosen[600];
    struct px_err err = {0};
    cr_expect_eq(select_vantages("nope", mesh.vantages, mesh.vantage_count, chosen, &err), -1);
    cr_expect(strstr(err.hint, " ..."), "%s", err.hint);
}
