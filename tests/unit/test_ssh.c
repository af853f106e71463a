/* SPDX-License-Identifier: MIT */
/* The ssh probe against servers that refuse, lie, dawdle, flood or speak something else. */
#include "tests/unit/ssh_rig.h"

#include "probe-node/probes/ssh_banner.h"
#include "probe-node/probes/ssh_handshake.h"

#define GREETING "SSH-2.0-Scripted\r\n"

/* One server, one run. */
static struct run answer_of(void (*script)(int fd), enum px_stage depth, int64_t timeout_ms)
{
    struct server server;
    struct run run;

    server_open(&server, script);
    run_once(&run, server.port, depth, timeout_ms);
    server_close(&server);
    return run;
}

/* ---- before the greeting ---- */

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void close_at_once(int fd)
{
    (void)fd;
}

static void refuse_startups(int fd)
{
    say(fd, "Exceeded MaxStartups\r\n");
}

static void refuse_penalty(int fd)
{
    say(fd, "Not allowed at this time\r\n");
}

static void refuse_unknown_words(int fd)
{
    say(fd, "Too many of you\r\n");
}

static void refuse_without_newline(int fd)
{
    say(fd, "no");
}

static void refuse_then_reset(int fd)
{
    say(fd, "go away\r\n");
    /* the reset must not overtake the words */
    for (int unread = 1; unread > 0 && !is_gone_after(fd, 1);) {
        struct tcp_info info;
        socklen_t len = sizeof(info);
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
        unread = (int)info.tcpi_unacked;
    }
    reset(fd);
}

static void begin_greeting_and_close(int fd)
{
    say(fd, "SSH-2.0-Op");
}

static void speak_smtp(int fd)
{
    say(fd, "220 mail.example ESMTP\r\n");
    hear_all(fd);
}

static void speak_ssh1(int fd)
{
    say(fd, "SSH-1.5-1.2.27\r\n");
    hear_all(fd);
}

static void speak_nonsense(int fd)
{
    char noise[3000];

    memset(noise, 0x7e, sizeof(noise));
    (void)!send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
    hear_all(fd);
}

static void speak_endless_lines(int fd)
{
    while (send(fd, "la la la\r\n", 10, MSG_NOSIGNAL) == 10)
        ;
}

static void speak_endless_line(int fd)
{
    char noise[1000];

    memset(noise, 'm', sizeof(noise));
    while (send(fd, noise, sizeof(noise), MSG_NOSIGNAL) > 0)
        ;
}

static const struct {
    const char *name;
    void (*script)(int fd);
    enum px_code code;
    const char *text;
} early[] = {
    {"close", close_at_once, PX_CODE_CLOSED_EARLY, ""},
    {"reset", reset, PX_CODE_RESET_EARLY, ""},
    {"MaxStartups", refuse_startups, PX_CODE_REFUSAL_TEXT, "Exceeded MaxStartups"},
    {"penalty", refuse_penalty, PX_CODE_REFUSAL_TEXT, "Not allowed at this time"},
    {"unknown words", refuse_unknown_words, PX_CODE_REFUSAL_TEXT, "Too many of you"},
    {"no newline", refuse_without_newline, PX_CODE_REFUSAL_TEXT, "no"},
    {"words and reset", refuse_then_reset, PX_CODE_REFUSAL_TEXT, "go away"},
    {"half a greeting", begin_greeting_and_close, PX_CODE_CLOSED_EARLY, "SSH-2.0-Op"},
    {"SMTP", speak_smtp, PX_CODE_NOT_SSH, "220 mail.example ESMTP"},
    {"SSH 1", speak_ssh1, PX_CODE_NOT_SSH, "SSH-1.5-1.2.27"},
    {"nonsense", speak_nonsense, PX_CODE_NOT_SSH, "~~~~~~~~"},
    {"endless lines", speak_endless_lines, PX_CODE_NOT_SSH, "la la la | la la la"},
    {"endless line", speak_endless_line, PX_CODE_NOT_SSH, "mmmmmmmm"},
};

Test(ssh, judges_the_first_words_at_once)
{
    for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
        px_mono begun = px_mono_now();
        struct run run = answer_of(early[i].script, PX_STAGE_KEX, 9000);

        cr_assert(run.obs.stage == PX_STAGE_BANNER && run.obs.code == early[i].code, "%s: %s [%s]",
                  early[i].name, px_code_name(run.obs.code), run.obs.text);
        assert_has(run.obs.text, early[i].text);
        cr_assert(run.obs.ms[PX_STAGE_BANNER] < 0 && run.obs.ms[PX_STAGE_KEX] < 0);
        cr_assert(px_mono_now() - begun < 3 * PX_SEC, "%s took too long", early[i].name);
    }
}

static void greet_after_a_preface(int fd)
{
    say(fd, "Property of nobody\r\nno entry\r\n" GREETING);
    hear_all(fd);
}

Test(ssh, stops_after_the_greeting_when_asked_for_that)
{
    struct run run = answer_of(greet_after_a_preface, PX_STAGE_BANNER, 5000);

    assert_result(&run, PX_STAGE_BANNER, PX_CODE_OK);
    cr_assert_str_eq(run.obs.banner, "SSH-2.0-Scripted");
    cr_assert_str_eq(run.obs.text, "Property of nobody | no entry");
    cr_assert(run.obs.ms[PX_STAGE_BANNER] >= 0);
    cr_assert(run.obs.ms[PX_STAGE_KEX] < 0);
}

static volatile int saw_reset;

static void greet_and_watch_the_end(int fd)
{
    char c;
    say(fd, GREETING);
    saw_reset = recv(fd, &c, 1, 0) < 0 && errno == ECONNRESET;
}

Test(ssh, leaves_by_reset_and_without_a_word_after_the_greeting)
{
    struct run run = answer_of(greet_and_watch_the_end, PX_STAGE_BANNER, 5000);

    assert_result(&run, PX_STAGE_BANNER, PX_CODE_OK);
    cr_assert_eq(saw_reset, 1);
}

/* ---- slow ones ---- */

static void greet_byte_by_byte(int fd)
{
    const char *c = "Hello there\r\n" GREETING;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    while (*c && !is_gone_after(fd, 4))
        (void)!send(fd, c++, 1, MSG_NOSIGNAL);
    hear_all(fd);
}

static void drip_for_ever(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    while (!is_gone_after(fd, 10))
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
}

Test(ssh, wakes_once_per_byte_of_a_trickle)
{
    struct server server;
    struct rig rig;
    struct run run;

    server_open(&server, greet_byte_by_byte);
    rig_open(&rig);
    run_start(&rig, &run, server.port, PX_STAGE_BANNER, 8000);
    rig_wait(&rig);
    assert_result(&run, PX_STAGE_BANNER, PX_CODE_OK);
    cr_assert(rig.wakeups <= strlen("Hello there\r\n" GREETING) + 4, "%u wake-ups", rig.wakeups);
    rig_close(&rig);
    server_close(&server);
}

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

Test(ssh, does_not_spin_on_a_line_that_never_ends)
{
    struct server server;
    struct rig rig;
    struct run run;
    double cpu;

    server_open(&server, drip_for_ever);
    rig_open(&rig);
    run_start(&rig, &run, server.port, PX_STAGE_KEX, 1500);
    cpu = cpu_ms();
    rig_wait(&rig);
    cpu = cpu_ms() - cpu;
    assert_result(&run, PX_STAGE_BANNER, PX_CODE_NOT_SSH);
    cr_assert(rig.wakeups <= 155, "%u wake-ups", rig.wakeups);
    cr_assert(cpu < 500, "%.1f ms of CPU", cpu);
    rig_close(&rig);
    server_close(&server);
}

static void half_close_in_a_line(int fd)
{
    say(fd, "half a li");
    shutdown(fd, SHUT_WR);
    hear_all(fd);
}

Test(ssh, notices_the_end_behind_half_a_line)
{
    struct run run = answer_of(half_close_in_a_line, PX_STAGE_KEX, 5000);

    assert_result(&run, PX_STAGE_BANNER, PX_CODE_REFUSAL_TEXT);
    cr_assert_str_eq(run.obs.text, "half a li");
}

static void stay_silent(int fd)
{
    hear_all(fd);
}

static void speak_http(int fd)
{
    hear_line(fd);
    say(fd, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>");
}

static void speak_tls(int fd)
{
    hear_line(fd);
    (void)!send(fd, "\x15\x03\x01\x00\x02\x02\x0a", 7, MSG_NOSIGNAL);
}

static void hang_up_when_greeted(int fd)
{
    hear_line(fd);
}

static void mumble(int fd)
{
    say(fd, "hello, who is there?\r\n");
    hear_all(fd);
}

static void stall_in_the_greeting(int fd)
{
    say(fd, "SSH-2.0-Open");
    hear_all(fd);
}

static void greet_when_greeted(int fd)
{
    hear_line(fd);
    say(fd, GREETING);
    hear_all(fd);
}

static const struct {
    void (*script)(int fd);
    enum px_stage depth;
    enum px_code code;
    const char *text;
    double from_ms, to_ms;
} slow[] = {
    {stay_silent, PX_STAGE_KEX, PX_CODE_SILENT, "", 9500, 12000},
    {speak_http, PX_STAGE_KEX, PX_CODE_NOT_SSH, "HTTP/1.1 400 Bad Request", 8000, 9400},
    {speak_tls, PX_STAGE_KEX, PX_CODE_NOT_SSH, "TLS alert 15 03 01", 8000, 9400},
    {hang_up_when_greeted, PX_STAGE_KEX, PX_CODE_CLOSED_EARLY, "", 8000, 9400},
    {mumble, PX_STAGE_KEX, PX_CODE_NOT_SSH, "hello, who is there?", 8000, 9400},
    {stall_in_the_greeting, PX_STAGE_KEX, PX_CODE_SILENT, "SSH-2.0-Open", 8000, 9400},
    {greet_when_greeted, PX_STAGE_BANNER, PX_CODE_OK, "", 8000, 9400},
};
#define SLOW (sizeof(slow) / sizeof(slow[0]))

/* All at once: each of them takes the whole stage. */
Test(ssh, asks_once_after_eight_seconds_of_silence)
{
    struct server servers[SLOW];
    struct run runs[SLOW];
    double took[SLOW] = {0};
    struct rig rig;
    px_mono begun = px_mono_now();

    rig_open(&rig);
    for (size_t i = 0; i < SLOW; i++) {
        server_open(&servers[i], slow[i].script);
        run_start(&rig, &runs[i], servers[i].port, slow[i].depth, 20000);
    }
    while (rig.running > 0) {
        event_base_loop(rig.base, EVLOOP_ONCE);
        rig.wakeups++;
        for (size_t i = 0; i < SLOW; i++) {
            if (runs[i].done && took[i] == 0)
                took[i] = (double)(px_mono_now() - begun) / PX_MS;
        }
    }
    for (size_t i = 0; i < SLOW; i++) {
        cr_expect(runs[i].obs.stage == PX_STAGE_BANNER && runs[i].obs.code == slow[i].code,
                  "%zu: %s [%s]", i, px_code_name(runs[i].obs.code), runs[i].obs.text);
        cr_expect(strstr(runs[i].obs.text, slow[i].text), "%zu: [%s]", i, runs[i].obs.text);
        cr_expect(took[i] >= slow[i].from_ms && took[i] < slow[i].to_ms, "%zu: %.0f ms", i,
                  took[i]);
        server_close(&servers[i]);
    }
    cr_assert(rig.wakeups < 10 * SLOW, "%u wake-ups", rig.wakeups);
    rig_close(&rig);
}

Test(ssh, does_not_blame_the_target_when_the_job_had_no_time)
{
    struct run run = answer_of(stay_silent, PX_STAGE_KEX, 300);

    assert_result(&run, PX_STAGE_BANNER, PX_CODE_NOT_RUN);
    run = answer_of(stay_silent, PX_STAGE_KEX, 1100);
    assert_result(&run, PX_STAGE_BANNER, PX_CODE_SILENT);
}

/* ---- after the greeting ---- */

static void greet_and_stall(int fd)
{
    say(fd, GREETING);
    hear_all(fd);
}

static void greet_and_close(int fd)
{
    say(fd, GREETING);
}

static void greet_and_reset(int fd)
{
    say(fd, GREETING);
    hear_line(fd);
    reset(fd);
}

static void send_packet(int fd, uint32_t claimed, const char *payload, size_t len)
{
    char packet[4096] = {0};
    uint32_t be = htonl(claimed);

    memcpy(packet, &be, 4);
    packet[4] = 4; /* padding */
    memcpy(packet + 5, payload, len);
    (void)!send(fd, packet, 4 + 1 + len + 4, MSG_NOSIGNAL);
}

static void claim_two_gigabytes(int fd)
{
    say(fd, GREETING);
    send_packet(fd, 0x7fffffff, "\x14", 1);
    hear_all(fd);
}

static void claim_more_than_is_sent(int fd)
{
    say(fd, GREETING);
    send_packet(fd, 200000, "\x14", 1);
    hear_all(fd);
}

static void claim_nothing(int fd)
{
    say(fd, GREETING);
    send_packet(fd, 0, "\x14", 1);
    hear_all(fd);
}

static void disconnect_politely(int fd)
{
    static const char message[] = "\x01\0\0\0\x0b\0\0\0\x09"
                                  "come back\0\0\0\0";

    say(fd, GREETING);
    hear_line(fd);
    send_packet(fd, sizeof(message) - 1 + 5, message, sizeof(message) - 1);
    hear_all(fd);
}

/* A list of names that cannot be: KEXINIT ends in the middle of them. */
static void send_broken_kexinit(int fd)
{
    char payload[40] = {0x14};

    memset(payload + 17, 0x7f, 4);
    say(fd, GREETING);
    send_packet(fd, sizeof(payload) + 5, payload, sizeof(payload));
    hear_all(fd);
}

static void flood_with_ignore(int fd)
{
    char payload[2000] = {0x02, 0, 0, 0x07};

    payload[4] = (char)0xcb;
    say(fd, GREETING);
    while (!is_gone_after(fd, 0))
        send_packet(fd, sizeof(payload) + 5, payload, sizeof(payload));
}

static void speak_long_greeting(int fd)
{
    char line[401];

    memset(line, 'v', sizeof(line));
    memcpy(line, "SSH-2.0-", 8);
    memcpy(line + 398, "\r\n", 3);
    say(fd, line);
    hear_all(fd);
}

static const struct {
    const char *name;
    void (*script)(int fd);
    enum px_code code;
    const char *text;
} later[] = {
    {"stall", greet_and_stall, PX_CODE_KEX_TIMEOUT, "stalled after both greetings"},
    {"close", greet_and_close, PX_CODE_KEX_RESET, ""},
    {"reset", greet_and_reset, PX_CODE_KEX_RESET, ""},
    {"2 GB", claim_two_gigabytes, PX_CODE_KEX_RESET, "Packet len too high"},
    {"too little", claim_more_than_is_sent, PX_CODE_KEX_TIMEOUT, "stalled"},
    {"nothing", claim_nothing, PX_CODE_KEX_RESET, ""},
    {"disconnect", disconnect_politely, PX_CODE_KEX_RESET, "come back"},
    {"broken list", send_broken_kexinit, PX_CODE_KEX_RESET, ""},
    {"flood", flood_with_ignore, PX_CODE_KEX_TIMEOUT, "bytes received and no keys agreed"},
    {"long greeting", speak_long_greeting, PX_CODE_UNABLE, "probe cannot: greeting longer"},
};
#define LATER (sizeof(later) / sizeof(later[0]))

Test(ssh, judges_a_handshake_that_goes_wrong)
{
    struct server servers[LATER];
    struct run runs[LATER];
    struct rig rig;

    rig_open(&rig);
    for (size_t i = 0; i < LATER; i++) {
        server_open(&servers[i], later[i].script);
        run_start(&rig, &runs[i], servers[i].port, PX_STAGE_KEX, 3000);
    }
    rig_wait(&rig);
    for (size_t i = 0; i < LATER; i++) {
        const struct px_observation *o = &runs[i].obs;

        cr_expect(o->stage == PX_STAGE_KEX && o->code == later[i].code, "%s: %s [%s]",
                  later[i].name, px_code_name(o->code), o->text);
        cr_expect(strstr(o->text, later[i].text), "%s: [%s]", later[i].name, o->text);
        cr_expect(o->ms[PX_STAGE_BANNER] >= 0 && o->ms[PX_STAGE_KEX] < 0);
        cr_expect(strncmp(o->banner, "SSH-2.0-", 8) == 0);
        cr_expect(o->hostkey[0] == '\0');
        server_close(&servers[i]);
    }
    rig_close(&rig);
}

Test(ssh, gives_a_stalled_handshake_eight_seconds)
{
    struct server server;
    struct rig rig;
    struct run run;
    px_mono begun = px_mono_now();
    double took;

    server_open(&server, greet_and_stall);
    rig_open(&rig);
    run_start(&rig, &run, server.port, PX_STAGE_KEX, 20000);
    rig_wait(&rig);
    took = (double)(px_mono_now() - begun) / PX_MS;
    assert_result(&run, PX_STAGE_KEX, PX_CODE_KEX_TIMEOUT);
    assert_has(run.obs.text, "0 of our segments unacknowledged");
    cr_assert(took >= 8000 && took < 9400, "%.0f ms", took);
    cr_assert(rig.wakeups < 20, "%u wake-ups", rig.wakeups);
    rig_close(&rig);
    server_close(&server);
}

/* ---- what is left behind ---- */

Test(ssh, gives_back_every_descriptor)
{
    void (*const scripts[])(int fd) = {
        close_at_once,      reset,           refuse_startups,     speak_smtp,
        greet_and_close,    greet_and_reset, claim_two_gigabytes, disconnect_politely,
        speak_long_greeting};
    const size_t count = sizeof(scripts) / sizeof(scripts[0]);
    struct server servers[sizeof(scripts) / sizeof(scripts[0])];
    unsigned before;
    struct rig rig;
    struct run run;

    rig_open(&rig);
    for (size_t i = 0; i < count; i++)
        server_open(&servers[i], scripts[i]);
    before = count_descriptors();
    for (size_t i = 0; i < 200; i++) {
        run_start(&rig, &run, servers[i % count].port, PX_STAGE_KEX, 3000);
        rig_wait(&rig);
        cr_assert_eq(run.done, 1U);
    }
    for (size_t i = 0; i < count; i++)
        server_close(&servers[i]);
    cr_assert_eq(count_descriptors(), before - (unsigned)count);
    rig_close(&rig);
}

/* libssh closes its descriptor when the connection breaks; the number may soon be somebody else's.
 */
Test(ssh, closes_no_descriptor_that_has_a_new_owner)
{
    struct ssh_handshake *h;
    struct server server;
    int fd, others[8];

    server_open(&server, greet_and_close);
    fd = try_connect(server.port);
    h = ssh_handshake_open(fd);
    cr_assert_not_null(h);
    while (ssh_handshake_step(h) == SSH_HANDSHAKE_WAIT)
        (void)is_gone_after(fd, 10);
    for (int i = 0; i < 8; i++)
        others[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    ssh_handshake_close(h);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(close(others[i]), 0, "somebody else's descriptor was closed");
    cr_assert_eq(close(fd), 0);
    server_close(&server);
}

/* The other way: libssh leaves it open when it has not even begun. */
Test(ssh, closes_what_libssh_leaves_open)
{
    struct server server;
    unsigned before;
    int fd;

    server_open(&server, stay_silent);
    fd = try_connect(server.port);
    ssh_handshake_warm_up();
    before = count_descriptors();
    ssh_handshake_close(ssh_handshake_open(fd));
    ssh_handshake_close(NULL);
    cr_assert_eq(count_descriptors(), before);
    cr_assert_eq(close(fd), 0);
    server_close(&server);
}

Test(ssh, can_be_cancelled_at_any_moment)
{
    void (*const scripts[])(int fd) = {stay_silent, drip_for_ever, greet_and_stall,
                                       claim_more_than_is_sent};
    struct server server;
    struct rig rig;
    struct run run;
    unsigned before;

    rig_open(&rig);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        server_open(&server, scripts[i]);
        before = count_descriptors();
        for (unsigned turns = 0; turns < 6; turns++) {
            run_start(&rig, &run, server.port, PX_STAGE_KEX, 100);
            for (unsigned t = 0; t < turns && rig.running > 0; t++)
                event_base_loop(rig.base, EVLOOP_ONCE);
            if (rig.running > 0) {
                ssh_probe_ops.cancel(run.probe);
                rig.running--;
                cr_assert_eq(run.done, 0U);
            }
        }
        server_close(&server);
        cr_assert_eq(count_descriptors(), before - 1);
    }
    cr_assert_eq(event_base_get_num_events(rig.base, EVENT_BASE_COUNT_ADDED), 0);
    rig_close(&rig);
    ssh_probe_ops.free(NULL);
    ssh_probe_ops.cancel(NULL);
}

Test(ssh, works_without_a_slot_for_the_attempt)
{
    struct server server;
    struct rig rig;
    struct run run;

    server_open(&server, greet_and_close);
    rig_open(&rig);
    run_start(&rig, &run, server.port, PX_STAGE_BANNER, 3000);
    run.obs.attempt_count = 0;
    rig_wait(&rig);
    assert_result(&run, PX_STAGE_BANNER, PX_CODE_OK);
    cr_assert(run.obs.attempts[0].rtt_ms < 0);
    rig_close(&rig);
    server_close(&server);
}
