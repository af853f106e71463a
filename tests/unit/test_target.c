/* SPDX-License-Identifier: MIT */
/* What users may ask about, and the exact answers to what they may not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/target.h"
#include "tests/unit/noise.h"

#define FORMS                                                                                      \
    "forms: host, host:port, ssh:// tcp:// tls:// http(s):// icmp://host; "                        \
    "IPv6 as [2001:db8::1]:22"

Test(target, accepted_forms_have_one_canonical_url)
{
    static const struct {
        const char *text, *url;
    } cases[] = {
        {"bastion", "ssh://bastion:22"},
        {"Bastion.Example.NET", "ssh://bastion.example.net:22"},
        {"bastion:2222", "ssh://bastion:2222"},
        {"bastion:022", "ssh://bastion:22"},
        {"ssh://bastion", "ssh://bastion:22"},
        {"SSH://bastion/", "ssh://bastion:22"},
        {"192.0.2.7", "ssh://192.0.2.7:22"},
        {"2001:DB8::1", "ssh://[2001:db8::1]:22"},
        {"[2001:db8::1]", "ssh://[2001:db8::1]:22"},
        {"[2001:db8::1]:2222", "ssh://[2001:db8::1]:2222"},
        {"[::ffff:192.0.2.7]:22", "ssh://192.0.2.7:22"},
        {"tcp://db.internal.example.net:5432", "tcp://db.internal.example.net:5432"},
        {"tcp://[2001:db8::1]:5432", "tcp://[2001:db8::1]:5432"},
        {"tls://mail", "tls://mail:443"},
        {"http://www", "http://www:80/"},
        {"https://www.example.net/healthz", "https://www.example.net:443/healthz"},
        {"https://www:8443/a/b?c=d&e=%20", "https://www:8443/a/b?c=d&e=%20"},
        {"http://www?q=1", "http://www:80/?q=1"},
        {"icmp://host", "icmp://host"},
        {"icmp://[2001:db8::1]", "icmp://[2001:db8::1]"},
        {"_sip.my_host", "ssh://_sip.my_host:22"},
        {"xn--mnchen-3ya.example", "ssh://xn--mnchen-3ya.example:22"},
        {"host.", "ssh://host.:22"},
        {"tcp:443", "ssh://tcp:443"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_target t, again;
        struct px_err err = {0};
        cr_assert_eq(px_target_parse(cases[i].text, &t, &err), 0, "%s: %s", cases[i].text,
                     err.message);
        cr_assert_str_eq(t.url, cases[i].url);
        cr_assert_eq(px_target_parse(t.url, &again, &err), 0, "%s", err.message);
        cr_assert_str_eq(again.url, t.url);
    }
}

Test(target, parts)
{
    struct px_target t;
    cr_assert_eq(px_target_parse("https://[2001:DB8::1]:8443/x", &t, NULL), 0);
    cr_assert_eq(t.scheme, PX_SCHEME_HTTPS);
    cr_assert_str_eq(t.host, "2001:db8::1");
    cr_assert_eq(t.literal.family, 6);
    cr_assert_eq(t.port, 8443);
    cr_assert_str_eq(t.path, "/x");
    cr_assert_eq(px_target_parse("bastion", &t, NULL), 0);
    cr_assert_eq(t.literal.family, 0);
    cr_assert_str_eq(t.path, "");
}

Test(target, refusals_say_what_to_write)
{
    static const struct {
        const char *text, *code, *message, *hint;
    } cases[] = {
        {"ssh//bastion", "bad-target",
         "\"ssh//bastion\" is not a target; did you mean \"ssh://bastion\"?", FORMS},
        {"ssh:/bastion", "bad-target",
         "\"ssh:/bastion\" is not a target; did you mean \"ssh://bastion\"?", FORMS},
        {"tcp:db", "bad-target", "\"tcp:db\" is not a target; did you mean \"tcp://db\"?", FORMS},
        {"bastion:99999", "bad-port", "port 99999 is not between 1 and 65535", ""},
        {"bastion:0", "bad-port", "port 0 is not between 1 and 65535", ""},
        {"bastion:65536", "bad-port", "port 65536 is not between 1 and 65535", ""},
        {"bastion:", "bad-port", "\"bastion:\": the port is missing after \":\"", ""},
        {"bastion:ssh", "bad-port", "port \"ssh\" is not a number between 1 and 65535", FORMS},
        {"bastion:-1", "bad-port", "port \"-1\" is not a number between 1 and 65535", FORMS},
        {"tcp://db", "bad-port", "\"tcp://db\" needs a port",
         "write tcp://HOST:PORT, e.g. tcp://db:443"},
        {"icmp://host:7", "bad-port", "\"icmp://host:7\": icmp has no ports", ""},
        {"htps://x", "bad-target", "\"htps://x\": no scheme \"htps\"; did you mean \"https\"?",
         "known: ssh, tcp, tls, http, https, icmp"},
        {"gopher://x", "bad-target", "\"gopher://x\": no scheme \"gopher\"",
         "known: ssh, tcp, tls, http, https, icmp"},
        {"", "bad-target", "\"\" is not a target; the host is missing", FORMS},
        {"ssh://", "bad-target", "\"ssh://\" is not a target; the host is missing", FORMS},
        {"a b", "bad-target",
         "\"a b\" is not a target; a host name holds only a-z, 0-9, \"-\", \"_\" and dots", FORMS},
        {"m\xc3\xbcnchen.example", "bad-target",
         "\"m\xc3\xbcnchen.example\" is not a target; letters outside of a-z: write the xn-- form "
         "of the name",
         FORMS},
        {"1.2.3", "bad-target",
         "\"1.2.3\" is not a target; an IPv4 address has four numbers of 0 to 255, as 192.0.2.7",
         FORMS},
        {"bastion/x", "bad-target",
         "\"bastion/x\" is not a target; only http:// and https:// have a path", FORMS},
        {"h\x1b[2J", "bad-target",
         "\"h\\x1b[2J\" is not a target; a host name holds only a-z, 0-9, \"-\", \"_\" and dots",
         FORMS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_target t;
        struct px_err err = {0};
        cr_assert_eq(px_target_parse(cases[i].text, &t, &err), -1, "%s", cases[i].text);
        cr_assert_str_eq(err.code, cases[i].code);
        cr_assert_str_eq(err.message, cases[i].message);
        cr_assert_str_eq(err.hint, cases[i].hint);
        cr_assert_str_eq(t.url, "");
    }
}

Test(target, refused_for_what_resolvers_make_of_it)
{
    static const char *const wrong[] = {
        "0x7f.1",
        "010.0.0.1",
        "2130706433",
        "1.2.3.4.",
        "user@host",
        "ssh://u:p@host",
        "fe80::1%eth0",
        "[::1",
        "[::1]x",
        "[1.2.3.4]:22",
        "[host]:22",
        "2001:db8::1::22",
        "-host",
        "host-.net",
        "a..b",
        ".a",
        "a\nb",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h/#f",
        "ssh://h?x",
        "://h",
        "a:b:c",
        "http://h/\xff",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct px_target t;
        struct px_err err = {0};
        cr_assert_eq(px_target_parse(wrong[i], &t, &err), -1, "%s -> %s", wrong[i], t.url);
        cr_assert(err.message[0] != '\0' && strchr(err.message, '\n') == NULL);
    }
    cr_assert_eq(px_target_parse(NULL, &(struct px_target){0}, NULL), -1);
}

Test(target, limits)
{
    char text[2000], label[65];
    struct px_target t;
    struct px_err err = {0};
    memset(label, 'a', sizeof(label));
    snprintf(text, sizeof(text), "%.63s.example", label);
    cr_assert_eq(px_target_parse(text, &t, &err), 0, "%s", err.message);
    snprintf(text, sizeof(text), "%.64s.example", label);
    cr_assert_eq(px_target_parse(text, &t, &err), -1);
    cr_assert_not_null(strstr(err.message, "63 characters"));

    snprintf(text, sizeof(text), "%.63s.%.63s.%.63s.%.61s", label, label, label, label);
    cr_assert_eq(strlen(text), PX_HOST_MAX);
    cr_assert_eq(px_target_parse(text, &t, &err), 0, "%s", err.message);
    strcat(text, "a");
    cr_assert_eq(px_target_parse(text, &t, &err), -1);
    cr_assert_not_null(strstr(err.message, "253 characters"));

    int head = snprintf(text, sizeof(text), "http://h/");
    memset(text + head, 'p', PX_PATH_MAX);
    text[head + PX_PATH_MAX - 1] = '\0';
    cr_assert_eq(px_target_parse(text, &t, &err), 0, "%s", err.message);
    cr_assert_eq(strlen(t.path), PX_PATH_MAX);
    strcat(text, "p");
    cr_assert_eq(px_target_parse(text, &t, &err), -1);
    cr_assert_not_null(strstr(err.message, "512 characters"));
}

Test(target, the_longest_url_fits)
{
    char text[2000], label[64];
    struct px_target t;
    memset(label, 'a', sizeof(label));
    int n = snprintf(text, sizeof(text), "https://%.63s.%.63s.%.63s.%.61s:65535/", label, label,
                     label, label);
    memset(text + n, 'p', PX_PATH_MAX - 1);
    text[n + PX_PATH_MAX - 1] = '\0';
    cr_assert_eq(px_target_parse(text, &t, NULL), 0);
    cr_assert_str_eq(t.url, text);
}

Test(target, schemes)
{
    cr_assert_str_eq(px_scheme_name(PX_SCHEME_HTTPS), "https");
    cr_assert_str_eq(px_scheme_name((enum px_scheme)77), "?");
    cr_assert_eq(px_scheme_port(PX_SCHEME_SSH), 22);
    cr_assert_eq(px_scheme_port(PX_SCHEME_ICMP), 0);
    cr_assert_eq(px_scheme_port((enum px_scheme)77), 0);
}

Test(target, noise_is_a_target_or_an_error)
{
    static const char *const alphabets[] = {"ab1.:/[]-", "sh:/tcpl0129.@%", NULL};
    struct noise noise = {2024};
    char text[80];
    int good = 0;
    for (int i = 0; i < 100000; i++) {
        struct px_target t, again;
        struct px_err err = {0};
        noise_text(&noise, alphabets[i % 3], sizeof(text) - 1 - 60 * (i % 2), text);
        int rc = px_target_parse(text, &t, &err);
        cr_assert((rc == 0) ^ (err.code[0] != '\0'), "%s", text);
        if (rc != 0)
            continue;
        cr_assert_eq(px_target_parse(t.url, &again, &err), 0, "%s: %s", t.url, err.message);
        cr_assert_str_eq(t.url, again.url);
        good++;
    }
    cr_assert_gt(good, 100);
}
