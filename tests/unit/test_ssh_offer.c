/* SPDX-License-Identifier: MIT */
/* Whose fault a failed negotiation is: the target's, or a limit of the probe. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "probe-node/probes/ssh_offer.h"

#define NO_MATCH "kex error : no match for method "

static const struct {
    const char *error;
    const char *text; /* NULL = not about algorithms */
} cases[] = {
    {NO_MATCH "kex algos: server [sntrup761x25519-sha512@openssh.com,kex-strict-s-v00@openssh.com]"
              ", client [curve25519-sha256]",
     "probe cannot: server offers only sntrup761x25519-sha512@openssh.com (key exchange)"},
    {NO_MATCH "kex algos: server [mlkem768x25519-sha256,ext-info-s], client [x]",
     "probe cannot: server offers only mlkem768x25519-sha256 (key exchange)"},
    {NO_MATCH "kex algos: server [diffie-hellman-group1-sha1,diffie-hellman-group16-sha512], "
              "client [x]",
     "probe cannot: server offers only "
     "diffie-hellman-group1-sha1,diffie-hellman-group16-sha512 (key exchange)"},
    {NO_MATCH "kex algos: server [diffie-hellman-group1-sha1,ext-info-s], client [x]",
     "no common key exchange: server offers only diffie-hellman-group1-sha1"},
    {NO_MATCH "server host key algo: server [ssh-dss], client [ssh-ed25519]",
     "no common host key: server offers only ssh-dss"},
    {NO_MATCH "encryption client->server: server [aes256-cbc,3des-cbc], client [x]",
     "no common cipher to the server: server offers only aes256-cbc,3des-cbc"},
    {NO_MATCH "mac algo server->client: server [umac-128-etm@openssh.com], client [x]",
     "probe cannot: server offers only umac-128-etm@openssh.com (MAC from the server)"},
    {NO_MATCH "mac algo client->server: server [hmac-md5], client [x]",
     "no common MAC to the server: server offers only hmac-md5"},
    {NO_MATCH "kex algos: server [kex-strict-s-v00@openssh.com], client [x]",
     "no common key exchange: server offers only nothing"},
    {NO_MATCH "kex algos: server [], client [x]",
     "no common key exchange: server offers only nothing"},
    {NO_MATCH "kex algos: server [foo", "no common key exchange: server offers only foo"},
    {NO_MATCH "something new: server [foo], client [x]",
     "no common algorithm: server offers only foo"},
    {"Receiving banner: too large banner", "probe cannot: greeting longer than 255 bytes"},
    {"Socket error: disconnected", NULL},
    {"Received SSH_MSG_DISCONNECT: 2:" NO_MATCH "kex algos: server [x]", NULL},
    {NO_MATCH "kex algos", NULL},
    {"", NULL},
};

Test(ssh_offer, tells_the_target_from_the_probe)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256] = "untouched";
        enum px_code code = ssh_offer_explain(cases[i].error, text, sizeof(text));
        bool ours = cases[i].text && strncmp(cases[i].text, "probe cannot:", 13) == 0;

        cr_assert_eq(code,
                     !cases[i].text ? PX_CODE_UNKNOWN
                     : ours         ? PX_CODE_UNABLE
                                    : PX_CODE_KEX_MISMATCH,
                     "%s", cases[i].error);
        cr_assert_str_eq(text, cases[i].text ? cases[i].text : "untouched");
    }
}

Test(ssh_offer, shortens_endless_lists_and_says_so)
{
    char error[4096] = NO_MATCH "kex algos: server [", text[256], tiny[8];
    size_t at = strlen(error);

    while (at + 40 < sizeof(error))
        at += (size_t)snprintf(error + at, sizeof(error) - at, "made-up-algorithm-%zu,", at);
    cr_assert_eq(ssh_offer_explain(error, text, sizeof(text)), PX_CODE_KEX_MISMATCH);
    cr_assert(strlen(text) < sizeof(text));
    cr_assert_not_null(strstr(text, ",..."));
    cr_assert_eq(ssh_offer_explain(error, tiny, sizeof(tiny)), PX_CODE_KEX_MISMATCH);
    cr_assert_eq(strlen(tiny), sizeof(tiny) - 1);
}

/* An OpenSSH client must accept every word of ours, or "no common" would blame targets wrongly. */
Test(ssh_offer, offers_only_what_openssh_offers)
{
    static const struct {
        const char *method, *list;
    } offers[] = {
        {"kex algos", ssh_offer_kex},
        {"server host key algo", ssh_offer_hostkeys},
        {"encryption client->server", ssh_offer_ciphers},
        {"mac algo client->server", ssh_offer_macs},
    };

    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        char list[400], error[300], text[256], *save = NULL;

        snprintf(list, sizeof(list), "%s", offers[i].list);
        for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
            snprintf(error, sizeof(error), NO_MATCH "%s: server [%s], client [x]", offers[i].method,
                     w);
            cr_assert_eq(ssh_offer_explain(error, text, sizeof(text)), PX_CODE_UNABLE);
            cr_assert_eq(strncmp(text, "probe cannot: ", 14), 0, "%s", text);
        }
    }
}
