/* SPDX-License-Identifier: MIT */
/* The passive first stage of the ssh probe, without a network: lines in, judgement out. */
#include <criterion/criterion.h>
#include <string.h>

#include "probe-node/probes/ssh_banner.h"

#define assert_code(b, want)                                                                       \
    cr_assert((b).code == (want), "%s, text [%s], line [%s]", px_code_name((b).code), (b).text,    \
              (b).line)

/* The whole life of a server's words: data, then an end of some kind. */
static struct ssh_banner judge(const char *data, size_t len, enum ssh_banner_end how)
{
    struct ssh_banner b;
    size_t used;

    ssh_banner_init(&b);
    used = ssh_banner_parse(&b, data, len);
    cr_assert(used <= len);
    ssh_banner_finish(&b, data + used, len - used, how);
    return b;
}

struct saying {
    const char *data;
    enum px_code closed, reset, late; /* by what follows it */
    const char *text;
};

#define ALWAYS(code) code, code, code

static const struct saying sayings[] = {
    {"", PX_CODE_CLOSED_EARLY, PX_CODE_RESET_EARLY, PX_CODE_SILENT, ""},
    {"S", PX_CODE_CLOSED_EARLY, PX_CODE_RESET_EARLY, PX_CODE_SILENT, "S"},
    {"SSH-2.0-Op", PX_CODE_CLOSED_EARLY, PX_CODE_RESET_EARLY, PX_CODE_SILENT, "SSH-2.0-Op"},
    {"SSH-2.0-OpenSSH_9.2\r\n", ALWAYS(PX_CODE_OK), ""},
    {"SSH-1.99-Cisco\n", ALWAYS(PX_CODE_OK), ""},
    {"Welcome\r\n\r\nto us\nSSH-2.0-x\r\n", ALWAYS(PX_CODE_OK), "Welcome | to us"},
    {"Welcome\r\nSSH-2.0-", PX_CODE_CLOSED_EARLY, PX_CODE_RESET_EARLY, PX_CODE_SILENT,
     "Welcome | SSH-2.0-"},
    {"SSH-1.5-OSU_1.4alpha3\n", ALWAYS(PX_CODE_NOT_SSH), "SSH-1.5-OSU_1.4alpha3"},
    {"SSH-3.0-future\n", ALWAYS(PX_CODE_NOT_SSH), "SSH-3.0-future"},
    {"SSH-\n", ALWAYS(PX_CODE_NOT_SSH), "SSH-"},
    {"Exceeded MaxStartups\r\n", ALWAYS(PX_CODE_REFUSAL_TEXT), "Exceeded MaxStartups"},
    {"Not allowed at this time\r\n", ALWAYS(PX_CODE_REFUSAL_TEXT), "Not allowed at this time"},
    {"Go away\r\n", PX_CODE_REFUSAL_TEXT, PX_CODE_REFUSAL_TEXT, PX_CODE_NOT_SSH, "Go away"},
    {"Go away", PX_CODE_REFUSAL_TEXT, PX_CODE_REFUSAL_TEXT, PX_CODE_NOT_SSH, "Go away"},
    {"220 mail ESMTP\r\n", ALWAYS(PX_CODE_NOT_SSH), "220 mail ESMTP"},
    {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", ALWAYS(PX_CODE_NOT_SSH),
     "HTTP/1.1 400 Bad Request"},
    {"* OK IMAP\r\n", ALWAYS(PX_CODE_NOT_SSH), "* OK IMAP"},
    {"SSX-2.0-x\r\n", PX_CODE_REFUSAL_TEXT, PX_CODE_REFUSAL_TEXT, PX_CODE_NOT_SSH, "SSX-2.0-x"},
};

Test(ssh_banner, judges_what_is_said_and_how_it_ends)
{
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
        const struct saying *s = &sayings[i];
        const enum px_code want[] = {s->closed, s->reset, s->late};

        for (int how = SSH_BANNER_CLOSED; how <= SSH_BANNER_LATE; how++) {
            struct ssh_banner b = judge(s->data, strlen(s->data), (enum ssh_banner_end)how);
            cr_assert(b.code == want[how], "[%s] ending %d: %s", s->data, how,
                      px_code_name(b.code));
            cr_assert_str_eq(b.text, s->text);
        }
    }
}

/* However the network cuts it: one byte more each time, the judgement is the same. */
Test(ssh_banner, is_the_same_byte_by_byte)
{
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
        const struct saying *s = &sayings[i];
        size_t len = strlen(s->data), from = 0;
        struct ssh_banner b;

        ssh_banner_init(&b);
        for (size_t to = 1; to <= len && b.code == PX_CODE_UNKNOWN; to++)
            from += ssh_banner_parse(&b, s->data + from, to - from);
        ssh_banner_finish(&b, s->data + from, len - from, SSH_BANNER_CLOSED);
        cr_assert(b.code == s->closed, "[%s]: %s", s->data, px_code_name(b.code));
        cr_assert_str_eq(b.text, s->text);
    }
}

Test(ssh_banner, keeps_the_greeting_for_libssh)
{
    const char *data = "hello\r\nSSH-2.0-x y\r\nmore";
    struct ssh_banner b;

    ssh_banner_init(&b);
    cr_assert_eq(ssh_banner_parse(&b, data, strlen(data)), strlen("hello\r\n"));
    assert_code(b, PX_CODE_OK);
    cr_assert_str_eq(b.line, "SSH-2.0-x y");
}

Test(ssh_banner, waits_for_the_end_of_a_line)
{
    struct ssh_banner b;

    ssh_banner_init(&b);
    cr_assert_eq(ssh_banner_parse(&b, "hello\r\nSSH-2.0", 14), 7U);
    assert_code(b, PX_CODE_UNKNOWN);
    cr_assert_eq(b.partial, 7U);
}

Test(ssh_banner, unmasks_binary_protocols)
{
    struct ssh_banner b = judge("\x15\x03\x01\x00\x02\x02\x28", 7, SSH_BANNER_LATE);

    assert_code(b, PX_CODE_NOT_SSH);
    cr_assert_str_eq(b.text, "TLS alert 15 03 01 00 02 02 28");
    b = judge("J\0\0\0\n5.5.5-MariaDB", 18, SSH_BANNER_LATE);
    assert_code(b, PX_CODE_NOT_SSH);
    cr_assert_str_eq(b.text, "binary 4a 00 00 00 0a");
    b = judge("SSH-2.0-x\0y\r\n", 13, SSH_BANNER_LATE);
    assert_code(b, PX_CODE_NOT_SSH);
}

Test(ssh_banner, takes_an_answer_to_our_greeting_for_what_it_is)
{
    struct ssh_banner b;

    ssh_banner_init(&b);
    b.asked = true;
    ssh_banner_parse(&b, "Invalid request\n", 16);
    assert_code(b, PX_CODE_NOT_SSH);
    ssh_banner_init(&b);
    b.asked = true;
    ssh_banner_finish(&b, "what?", 5, SSH_BANNER_CLOSED);
    assert_code(b, PX_CODE_NOT_SSH);
    ssh_banner_init(&b);
    b.asked = true;
    ssh_banner_parse(&b, "SSH-2.0-shy\n", 12);
    assert_code(b, PX_CODE_OK);
    ssh_banner_init(&b);
    b.asked = true;
    ssh_banner_finish(&b, "", 0, SSH_BANNER_CLOSED);
    assert_code(b, PX_CODE_CLOSED_EARLY);
}

Test(ssh_banner, ends_an_overlong_line)
{
    char data[SSH_BANNER_LINE_MAX + 8];
    struct ssh_banner b;

    memset(data, 'a', sizeof(data));
    ssh_banner_init(&b);
    ssh_banner_parse(&b, data, SSH_BANNER_LINE_MAX - 1);
    assert_code(b, PX_CODE_UNKNOWN);
    ssh_banner_parse(&b, data, SSH_BANNER_LINE_MAX);
    assert_code(b, PX_CODE_NOT_SSH);
    cr_assert_eq(strlen(b.text), (size_t)PX_TEXT_MAX);

    ssh_banner_init(&b);
    memcpy(data, "SSH-2.0-", 8);
    data[sizeof(data) - 1] = '\n';
    ssh_banner_parse(&b, data, sizeof(data));
    assert_code(b, PX_CODE_NOT_SSH);
}

Test(ssh_banner, ends_too_many_lines)
{
    struct ssh_banner b;
    unsigned n = 0;

    ssh_banner_init(&b);
    while (b.code == PX_CODE_UNKNOWN && n < 10 * SSH_BANNER_LINES_MAX) {
        cr_assert_eq(ssh_banner_parse(&b, "x\n", 2), 2U);
        n++;
    }
    cr_assert_eq(n, (unsigned)SSH_BANNER_LINES_MAX);
    assert_code(b, PX_CODE_NOT_SSH);
}

Test(ssh_banner, ends_too_many_bytes)
{
    char line[1000];
    struct ssh_banner b;
    unsigned n = 0;

    memset(line, 'b', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    ssh_banner_init(&b);
    while (b.code == PX_CODE_UNKNOWN && n < SSH_BANNER_LINES_MAX) {
        ssh_banner_parse(&b, line, sizeof(line));
        n++;
    }
    assert_code(b, PX_CODE_NOT_SSH);
    cr_assert_eq(n, SSH_BANNER_BYTES_MAX / sizeof(line) + 1);
}

Test(ssh_banner, cuts_a_long_greeting_and_decides_once)
{
    char data[600];
    struct ssh_banner b;

    memset(data, 'v', sizeof(data));
    memcpy(data, "SSH-2.0-", 8);
    data[sizeof(data) - 1] = '\n';
    ssh_banner_init(&b);
    ssh_banner_parse(&b, data, sizeof(data));
    assert_code(b, PX_CODE_OK);
    cr_assert_eq(strlen(b.line), (size_t)PX_TEXT_MAX);
    ssh_banner_finish(&b, "", 0, SSH_BANNER_RESET);
    assert_code(b, PX_CODE_OK);
    cr_assert_eq(ssh_banner_parse(&b, "220 x\r\n", 7), 0U);
    assert_code(b, PX_CODE_OK);
}
