/* SPDX-License-Identifier: MIT */
/* Jobs from submit to the one observation, on loopback. */
#include "prober_rig.h"

static struct rig rig;
static struct server server;

/* ---- what a port says ---- */

static void check_open(const char *host, const char *bracketed)
{
    struct px_job job;
    const struct px_observation *o;

    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, host);
    job = job_for("tcp", bracketed, server.port);
    o = rig_run(&rig, &job);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect_eq(o->code, PX_CODE_OK, "%s", px_code_name(o->code));
    cr_expect_eq(o->depth, PX_STAGE_TCP);
    cr_expect_geq(o->ms[PX_STAGE_TCP], 0);
    cr_expect_lt(o->ms[PX_STAGE_DNS], 0, "a literal address is not looked up");
    cr_expect_eq(o->attempt_count, 1);
    cr_expect_eq(o->attempts[0].code, PX_CODE_OK);
    cr_expect_eq(o->attempts[0].port, server.port);
    cr_expect_neq(o->attempts[0].source_port, 0);
    cr_expect_geq(o->attempts[0].ms, 0);
    cr_expect(px_addr_equal(&o->address, &job.target.literal));
    cr_expect(px_addr_is_loopback(&o->source));
    cr_expect_geq(o->took_ms, o->ms[PX_STAGE_TCP]);
    cr_expect_geq(o->lag_ms, 0);
    cr_expect_neq(o->started, 0);
    cr_expect_eq(o->strikes_max, 0, "no strikes but on ssh targets");
    server_close(&server);
    rig_close(&rig);
}

Test(prober, an_open_port_is_ok)
{
    check_open("127.0.0.1", "127.0.0.1");
}

Test(prober, an_open_port_is_ok_over_ipv6)
{
    check_open("::1", "[::1]");
}

Test(prober, a_look_ends_by_reset)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "127.0.0.1", server.port);

    (void)rig_run(&rig, &job);
    while (server.resets + server.ends == 0)
        rig_turn(&rig);
    cr_expect_eq(server.resets, 1);
    cr_expect_eq(server.ends, 0);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, a_closed_port_is_refused_at_once)
{
    uint16_t port;
    int closed = closed_port(&port);

    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("ssh", "127.0.0.1", port);
    job.depth = PX_STAGE_KEX;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect_eq(o->code, PX_CODE_REFUSED, "%s", px_code_name(o->code));
    cr_expect_eq(o->depth, PX_STAGE_KEX);
    cr_expect_eq(o->icmp.from.family, 0);
    cr_expect_lt(o->ms[PX_STAGE_TCP], 0);
    cr_expect_eq(o->strikes_used, 0, "nobody has noticed");
    cr_expect_eq(o->strikes_max, 2);
    cr_expect_not(o->limited);
    rig_close(&rig);
    (void)close(closed);
}

Test(prober, silence_ends_with_the_job)
{
    struct silence silence;

    rig_open(&rig, NULL, NULL);
    silence_open(&silence);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.timeout_ms = 500;
    px_mono before = px_mono_now();
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_leq(px_mono_now() - before, 1500 * PX_MS);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect_eq(o->code, PX_CODE_NO_ANSWER, "%s", px_code_name(o->code));
    cr_expect_eq(o->attempts[0].code, PX_CODE_NO_ANSWER);
    cr_expect_eq(o->attempts[0].unacked, 1, "the SYN is not acknowledged");
    cr_expect_gt(o->attempts[0].ms, 400);
    cr_expect_lt(o->attempts[0].rtt_ms, 0);
    silence_close(&silence);
    rig_close(&rig);
}

Test(prober, silence_too_short_to_prove_anything_is_not_run)
{
    struct silence silence;

    rig_open(&rig, NULL, NULL);
    silence_open(&silence);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.timeout_ms = 100;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect_eq(o->code, PX_CODE_NOT_RUN, "%s", px_code_name(o->code));
    silence_close(&silence);
    rig_close(&rig);
}

Test(prober, schemes_without_a_probe_of_their_own_stop_at_tcp)
{
    static const char *const schemes[] = {"tls", "http", "https"};

    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    for (size_t i = 0; i < 3; i++) {
        struct px_job job = job_for(schemes[i], "127.0.0.1", server.port);
        job.depth = PX_STAGE_HTTP;
        const struct px_observation *o = rig_run(&rig, &job);
        cr_expect_eq(o->code, PX_CODE_OK);
        cr_expect_eq(o->stage, PX_STAGE_TCP);
        cr_expect_eq(o->depth, PX_STAGE_TCP, "says so");
    }
    server_close(&server);
    rig_close(&rig);
}

Test(prober, icmp_targets_are_pinged_or_unable)
{
    char can[PROBER_CAPABILITIES_TEXT];
    bool able = strstr(prober_capabilities(can), "icmp") != NULL;
    struct px_job job = {.id = 1, .ladder = true, .timeout_ms = 5000, .depth = PX_STAGE_TCP};

    rig_open(&rig, NULL, NULL);
    cr_assert_eq(px_target_parse("icmp://127.0.0.1", &job.target, NULL), 0);
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->stage, PX_STAGE_ECHO);
    cr_expect_eq(o->depth, PX_STAGE_ECHO);
    cr_expect_eq(o->code, able ? PX_CODE_OK : PX_CODE_UNABLE, "%s", px_code_name(o->code));
    cr_expect_eq(o->echo.ran, able);
    cr_expect_eq(o->echo.received, able ? 1 : 0);
    cr_expect_eq(o->attempt_count, 0);
    rig_close(&rig);
}

/* The loop is held up, as by somebody else's long work. */
static void stall(int64_t ns)
{
    px_mono until = px_mono_now() + ns;

    while (px_mono_now() < until)
        ;
}

/* Let the job begin: its SYN has been answered by the kernel when this returns. */
static void begin(const struct px_job *job)
{
    rig_submit(&rig, job);
    rig_turn(&rig);
    cr_assert_eq(rig.done, 0);
}

Test(prober, a_reset_after_the_handshake_is_not_a_refusal)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    uint16_t port;
    int fd = server_socket("127.0.0.1", 8, &port);

    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("ssh", "127.0.0.1", port);
    job.depth = PX_STAGE_KEX;
    begin(&job);
    int client = accept(fd, NULL, NULL);
    (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(client);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].code, PX_CODE_RESET_EARLY, "%s", px_code_name(rig.results[0].code));
    cr_expect_eq(rig.results[0].stage, PX_STAGE_BANNER);
    cr_expect_geq(rig.results[0].ms[PX_STAGE_TCP], 0, "the handshake was done");
    cr_expect_eq(rig.results[0].strikes_used, 1);
    rig_close(&rig);
    (void)close(fd);
}

Test(prober, a_late_reset_is_a_strike)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("ssh", "127.0.0.1", server.port);
    begin(&job);
    stall(20 * PX_MS);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].code, PX_CODE_OK);
    cr_expect_lt(rig.results[0].attempts[0].ms, 20, "the kernel knows when the answer came");
    cr_expect_eq(rig.results[0].strikes_used, 1, "sshd may have seen us");
    server_close(&server);
    rig_close(&rig);
}

Test(prober, the_loops_own_delay_is_told)
{
    struct silence silence;

    rig_open(&rig, NULL, NULL);
    silence_open(&silence);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.timeout_ms = 600;
    begin(&job);
    stall(300 * PX_MS);
    rig_wait(&rig, 1);
    cr_expect_geq(rig.results[0].lag_ms, 150);
    silence_close(&silence);
    rig_close(&rig);
}

/* ---- repeats ---- */

Test(prober, repeats_are_kept_beside_the_ladder)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "127.0.0.1", server.port);
    job.repeats = 3;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->attempt_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_eq(o->attempts[i].code, PX_CODE_OK);
        for (unsigned k = 0; k < i; k++)
            cr_expect_neq(o->attempts[i].source_port, o->attempts[k].source_port);
    }
    while (server.accepted < 4)
        rig_turn(&rig);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, looks_only)
{
    uint16_t port;
    int closed = closed_port(&port);

    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("ssh", "127.0.0.1", port);
    job.ladder = false;
    job.depth = PX_STAGE_KEX;
    job.repeats = 2;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->attempt_count, 2);
    cr_expect_eq(o->code, PX_CODE_REFUSED);
    cr_expect_eq(o->attempts[1].code, PX_CODE_REFUSED);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect_eq(o->depth, PX_STAGE_TCP);
    rig_close(&rig);
    (void)close(closed);
}

Test(prober, more_repeats_than_there_is_room_for)
{
    const struct budget_limits limits = {2, 660 * PX_SEC, 64, 30 * PX_SEC, 100};

    rig_open(&rig, NULL, &limits);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "127.0.0.1", server.port);
    job.repeats = 1000;
    job.control_count = 1000;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->attempt_count, PX_REPEATS_MAX + 1);
    server_close(&server);
    rig_close(&rig);
}

/* ---- names ---- */

Test(prober, resolver_errors_end_the_job_at_dns)
{
    static const struct {
        const char *host;
        enum px_code code;
    } table[] = {{"missing.test", PX_CODE_DNS_NXDOMAIN},
                 {"broken.test", PX_CODE_DNS_SERVFAIL},
                 {"empty.test", PX_CODE_DNS_EMPTY}};

    rig_open(&rig, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct px_job job = job_for("ssh", table[i].host, 22);
        job.depth = PX_STAGE_KEX;
        job.repeats = 2;
        job.sides = PX_SIDE_TRACE | PX_SIDE_ECHO | PX_SIDE_CONTROL;
        const struct px_observation *o = rig_run(&rig, &job);
        cr_expect_eq(o->stage, PX_STAGE_DNS);
        cr_expect_eq(o->code, table[i].code, "%s: %s", table[i].host, px_code_name(o->code));
        cr_expect_eq(o->address.family, 0);
        cr_expect_eq(o->attempt_count, 0);
        cr_expect_not(o->trace.ran);
        cr_expect_not(o->echo.ran);
    }
    rig_close(&rig);
}

Test(prober, all_addresses_are_kept_and_the_first_is_probed)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "many.test", server.port);
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_OK, "%s", px_code_name(o->code));
    cr_expect_eq(o->address_count, PX_ADDRS_MAX);
    for (unsigned i = 0; i < PX_ADDRS_MAX; i++)
        cr_expect_eq(o->addresses[i].bytes[3], i + 1, "in order, each once");
    cr_expect(px_addr_equal(&o->address, &o->addresses[0]));
    cr_expect_geq(o->ms[PX_STAGE_DNS], 0);
    cr_expect_geq(o->ms[PX_STAGE_TCP], o->ms[PX_STAGE_DNS]);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, a_given_address_is_not_looked_up)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "missing.test", server.port);
    cr_assert(px_addr_parse("127.0.0.1", &job.address));
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_OK);
    cr_expect_eq(names.calls, 0);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, a_stuck_lookup_ends_in_time_and_blocks_nobody)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job stuck = job_for("tcp", "stuck.test", server.port);
    struct px_job fine = job_for("tcp", "fine.test", server.port);
    stuck.timeout_ms = 1200;
    fine.id = 2;
    px_mono before = px_mono_now();
    rig_submit(&rig, &stuck);
    rig_submit(&rig, &fine);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].job_id, 2);
    cr_expect_eq(rig.results[0].code, PX_CODE_OK);
    rig_wait(&rig, 2);
    cr_expect_eq(rig.results[1].stage, PX_STAGE_DNS);
    cr_expect_eq(rig.results[1].code, PX_CODE_DNS_TIMEOUT, "%s", px_code_name(rig.results[1].code));
    cr_expect_leq(px_mono_now() - before, 2200 * PX_MS);
    server_close(&server);
    rig_close(&rig);
    names_release();
}

Test(prober, lookups_that_found_no_thread_are_the_vantages_own_trouble)
{
    rig_open(&rig, NULL, NULL);
    for (uint64_t i = 1; i <= 10; i++) {
        struct px_job job = job_for("tcp", "stuck.test", 22);
        job.id = i;
        job.timeout_ms = 1200;
        rig_submit(&rig, &job);
    }
    rig_wait(&rig, 10);
    unsigned late = 0, exhausted = 0;
    for (size_t i = 0; i < 10; i++) {
        late += rig.results[i].code == PX_CODE_DNS_TIMEOUT;
        exhausted += rig.results[i].code == PX_CODE_EXHAUSTED;
    }
    cr_expect_geq(late, 4);
    cr_expect_eq(late + exhausted, 10);
    cr_expect_gt(exhausted, 0);
    /* threads stuck for nobody are replaced */
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "fine.test", server.port);
    cr_expect_eq(rig_run(&rig, &job)->code, PX_CODE_OK);
    server_close(&server);
    rig_close(&rig);
    names_release();
}

Test(prober, goes_while_a_lookup_is_stuck)
{
    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("tcp", "stuck.test", 22);
    rig_submit(&rig, &job);
    while (names.calls == 0)
        rig_turn(&rig);
    rig_close(&rig);
    cr_expect_eq(rig.done, 0);
    names_release();
}

/* ---- ends of all kinds ---- */

Test(prober, cancel_ends_the_job_with_not_run)
{
    struct silence silence;

    rig_open(&rig, NULL, NULL);
    silence_open(&silence);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.repeats = 1;
    job.sides_if_silent = PX_SIDE_ECHO;
    rig_submit(&rig, &job);
    for (int i = 0; i < 3; i++)
        rig_turn(&rig);
    prober_cancel(rig.prober, job.run_id, 999);
    prober_cancel(rig.prober, "another run", job.id);
    rig_turn(&rig);
    cr_expect_eq(prober_busy(rig.prober), 1, "neither was this job");
    rig.submitting = true; /* done must not come from inside cancel either */
    prober_cancel(rig.prober, job.run_id, job.id);
    prober_cancel(rig.prober, job.run_id, job.id);
    rig.submitting = false;
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].code, PX_CODE_NOT_RUN);
    cr_expect_eq(prober_busy(rig.prober), 0);
    for (int i = 0; i < 3; i++)
        rig_turn(&rig);
    cr_expect_eq(rig.done, 1, "exactly once");
    silence_close(&silence);
    rig_close(&rig);
}

Test(prober, cancel_before_the_common_start)
{
    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("ssh", "127.0.0.1", 1);
    job.start_in_ms = 60000;
    rig_submit(&rig, &job);
    prober_cancel(rig.prober, job.run_id, job.id);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].code, PX_CODE_NOT_RUN);
    cr_expect_lt(rig.results[0].took_ms, 0);
    rig_close(&rig);
}

Test(prober, the_common_start_is_kept)
{
    uint16_t port;
    int closed = closed_port(&port);

    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("tcp", "127.0.0.1", port);
    job.start_in_ms = 300;
    px_mono before = px_mono_now();
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_geq(px_mono_now() - before, 300 * PX_MS);
    cr_expect_geq(o->skew_ms, 0);
    cr_expect_lt(o->skew_ms, 1000);
    cr_expect_lt(o->took_ms, 300, "counted from the start");
    rig_close(&rig);
    (void)close(closed);
}

Test(prober, no_more_jobs_than_allowed)
{
    struct silence silence;
    const struct prober_options options = {.jobs_max = 2};

    rig_open(&rig, &options, NULL);
    silence_open(&silence);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.timeout_ms = 400;
    for (job.id = 1; job.id <= 3; job.id++)
        rig_submit(&rig, &job);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].job_id, 3);
    cr_expect_eq(rig.results[0].code, PX_CODE_EXHAUSTED);
    rig_wait(&rig, 3);
    cr_expect_eq(rig.results[1].code, PX_CODE_NO_ANSWER);
    silence_close(&silence);
    rig_close(&rig);
}

Test(prober, goes_with_jobs_under_way)
{
    struct silence silence;
    struct prober_options options = {.handshakes_max = 1};

    rig_open(&rig, &options, NULL);
    silence_open(&silence);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("ssh", "127.0.0.1", silence.port);
    job.depth = PX_STAGE_KEX;
    job.sides = PX_SIDE_ECHO | PX_SIDE_CONTROL | PX_SIDE_TRACE;
    job.control_ports[0] = silence.port;
    job.control_count = 1;
    rig_submit(&rig, &job);
    job = job_for("ssh", "127.0.0.1", server.port);
    job.depth = PX_STAGE_KEX;
    rig_submit(&rig, &job); /* waits for the only handshake */
    job.start_in_ms = 10000;
    rig_submit(&rig, &job);
    for (int i = 0; i < 4; i++)
        rig_turn(&rig);
    cr_expect_eq(prober_busy(rig.prober), 3);
    rig_close(&rig);
    cr_expect_eq(rig.done, 0, "nobody is told");
    silence_close(&silence);
}

/* ---- politeness ---- */

Test(prober, a_handshake_is_a_strike_and_the_third_is_cut)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    server.says = "SSH-2.0-Test\r\n";
    struct px_job job = job_for("ssh", "127.0.0.1", server.port);
    job.depth = PX_STAGE_BANNER;
    for (unsigned i = 1; i <= 2; i++) {
        const struct px_observation *o = rig_run(&rig, &job);
        cr_expect_eq(o->code, PX_CODE_OK, "%s", px_code_name(o->code));
        cr_expect_eq(o->stage, PX_STAGE_BANNER);
        cr_expect_str_eq(o->banner, "SSH-2.0-Test");
        cr_expect_eq(o->strikes_used, i);
        cr_expect_eq(o->strikes_max, 2);
        cr_expect_not(o->limited);
        cr_expect_eq(o->strikes_next_ms > 0, i == 2);
    }
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_OK);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect(o->limited);
    cr_expect_str_empty(o->banner);
    cr_expect_gt(o->strikes_next_ms, 600 * 1000);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, no_looks_left_is_limited)
{
    const struct budget_limits limits = {2, 660 * PX_SEC, 3, 30 * PX_SEC, 100};

    rig_open(&rig, NULL, &limits);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "127.0.0.1", server.port);
    job.repeats = 4;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_OK);
    cr_expect_eq(o->attempt_count, 3, "as many as there are");
    cr_expect(o->limited);
    job.sides = PX_SIDE_TRACE;
    o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_LIMITED, "%s", px_code_name(o->code));
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect_eq(o->attempt_count, 0);
    cr_expect_not(o->trace.ran);
    cr_expect(o->limited);
    while (server.accepted < 3)
        rig_turn(&rig);
    rig_turn(&rig);
    cr_expect_eq(server.accepted, 3);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, a_failure_at_home_costs_no_look)
{
    struct prober_options options = {0};

    cr_assert(px_addr_parse("192.0.2.77", &options.source)); /* not an address of this machine */
    rig_open(&rig, &options, NULL);
    struct px_job job = job_for("tcp", "127.0.0.1", 22);
    for (int i = 0; i < 12; i++) {
        const struct px_observation *o = rig_run(&rig, &job);
        cr_expect_eq(o->code, PX_CODE_NO_ADDRESS, "%s", px_code_name(o->code));
    }
    rig_close(&rig);
}

Test(prober, a_refusal_text_pauses_handshakes)
{
    rig_open(&rig, NULL, NULL);
    server_open(&server, &rig, "127.0.0.1");
    server.says = "Exceeded MaxStartups\r\n";
    server.closes = true;
    struct px_job job = job_for("ssh", "127.0.0.1", server.port);
    job.depth = PX_STAGE_KEX;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_REFUSAL_TEXT, "%s", px_code_name(o->code));
    cr_expect_eq(o->strikes_used, 1);
    cr_expect_gt(o->strikes_next_ms, 50 * 1000);
    cr_expect_leq(o->strikes_next_ms, 60 * 1000);
    o = rig_run(&rig, &job);
    cr_expect_eq(o->stage, PX_STAGE_TCP);
    cr_expect(o->limited);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, handshakes_take_turns)
{
    const struct prober_options options = {.handshakes_max = 1};
    const struct budget_limits limits = {8, 660 * PX_SEC, 64, 30 * PX_SEC, 100};

    rig_open(&rig, &options, &limits);
    server_open(&server, &rig, "127.0.0.1");
    server.says = "SSH-2.0-Test\r\n";
    struct px_job job = job_for("ssh", "127.0.0.1", server.port);
    job.depth = PX_STAGE_BANNER;
    for (job.id = 1; job.id <= 4; job.id++)
        rig_submit(&rig, &job);
    rig_wait(&rig, 4);
    for (uint64_t i = 0; i < 4; i++) {
        cr_expect_eq(rig.results[i].job_id, i + 1, "in order");
        cr_expect_eq(rig.results[i].code, PX_CODE_OK);
    }
    server_close(&server);
    rig_close(&rig);
}

Test(prober, a_silent_target_does_not_keep_its_handshake)
{
    struct silence silence;
    const struct prober_options options = {.handshakes_max = 1};

    rig_open(&rig, &options, NULL);
    silence_open(&silence);
    server_open(&server, &rig, "127.0.0.1");
    server.says = "SSH-2.0-Test\r\n";
    struct px_job job = job_for("ssh", "127.0.0.1", silence.port);
    job.depth = PX_STAGE_BANNER;
    rig_submit(&rig, &job);
    job = job_for("ssh", "127.0.0.1", server.port);
    job.depth = PX_STAGE_BANNER;
    job.id = 2;
    rig_submit(&rig, &job);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].job_id, 2);
    cr_expect_eq(rig.results[0].code, PX_CODE_OK);
    cr_expect_gt(rig.results[0].took_ms, 1000, "after the silence was noticed");
    cr_expect_lt(rig.results[0].took_ms, 4000);
    prober_cancel(rig.prober, job.run_id, 1);
    rig_wait(&rig, 2);
    silence_close(&silence);
    server_close(&server);
    rig_close(&rig);
}

Test(prober, out_of_time_while_waiting_for_a_handshake)
{
    struct silence silence;
    const struct prober_options options = {.handshakes_max = 1};

    rig_open(&rig, &options, NULL);
    silence_open(&silence);
    struct px_job job = job_for("ssh", "127.0.0.1", silence.port);
    job.depth = PX_STAGE_BANNER;
    rig_submit(&rig, &job);
    job.id = 2;
    job.timeout_ms = 200;
    rig_submit(&rig, &job);
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].job_id, 2);
    cr_expect_eq(rig.results[0].code, PX_CODE_EXHAUSTED);
    prober_cancel(rig.prober, job.run_id, 1);
    rig_wait(&rig, 2);
    silence_close(&silence);
    rig_close(&rig);
}

/* ---- sides ---- */

Test(prober, sides_at_once)
{
    uint16_t port;
    int closed = closed_port(&port);
    struct prober_options options = {.reference_count = 2};

    snprintf(options.references[0].name, sizeof(options.references[0].name), "fine.test:%u", port);
    strcpy(options.references[1].name, "missing.test:22");
    rig_open(&rig, &options, NULL);
    server_open(&server, &rig, "127.0.0.1");
    struct px_job job = job_for("tcp", "127.0.0.1", server.port);
    job.ladder = false;
    job.repeats = 2;
    job.sides = PX_SIDE_CONTROL | PX_SIDE_REFERENCE | PX_SIDE_TRACE | PX_SIDE_ECHO;
    job.control_ports[0] = port;
    job.control_ports[1] = server.port;
    job.control_count = 2;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_OK);
    cr_expect_eq(o->control_count, 2);
    cr_expect_eq(o->controls[0].code, PX_CODE_REFUSED);
    cr_expect_eq(o->controls[0].port, port);
    cr_expect_eq(o->controls[1].code, PX_CODE_OK);
    cr_expect_eq(o->reference_count, 2);
    cr_expect_eq(o->references[0].code, PX_CODE_REFUSED);
    cr_expect_eq(o->references[1].code, PX_CODE_DNS_NXDOMAIN);
    cr_expect_str_eq(o->references[1].name, "missing.test:22");
    cr_expect(o->trace.ran);
    cr_expect(o->trace.reached);
    cr_expect_eq(o->trace.count, 1, "%u hops to loopback", o->trace.count);
    cr_expect(px_addr_equal(&o->trace.hops[0].from, &o->address));
    cr_expect_eq(o->trace.hops[0].ttl, 1);
    cr_expect_lt(o->took_ms, 1000);
    while (server.resets < server.accepted)
        rig_turn(&rig);
    cr_expect_leq(server.accepted, 5, "two looks, one control, at most two of the trace");
    cr_expect_eq(server.ends, 0, "all by reset");
    server_close(&server);
    rig_close(&rig);
    (void)close(closed);
}

Test(prober, references_are_shared_between_jobs)
{
    uint16_t port;
    int closed = closed_port(&port);
    struct prober_options options = {.reference_count = 1};

    rig_open(&rig, &options, NULL);
    server_open(&server, &rig, "127.0.0.1");
    prober_free(rig.prober);
    snprintf(options.references[0].name, sizeof(options.references[0].name), "127.0.0.1:%u",
             server.port);
    rig.prober = prober_new(rig.base, rig.budget, &options, NULL);
    struct px_job job = job_for("tcp", "127.0.0.1", port);
    job.sides = PX_SIDE_REFERENCE;
    for (job.id = 1; job.id <= 3; job.id++)
        rig_submit(&rig, &job);
    rig_wait(&rig, 3);
    cr_expect_eq(rig_run(&rig, &job)->references[0].code, PX_CODE_OK);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(rig.results[i].references[0].code, PX_CODE_OK);
    while (server.accepted == 0)
        rig_turn(&rig);
    cr_expect_eq(server.accepted, 1);
    server_close(&server);
    rig_close(&rig);
    (void)close(closed);
}

Test(prober, sides_wait_for_silence)
{
    struct silence silence;
    uint16_t port;
    int closed = closed_port(&port);

    rig_open(&rig, NULL, NULL);
    silence_open(&silence);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.timeout_ms = 2500;
    job.sides_if_silent = PX_SIDE_CONTROL | PX_SIDE_TRACE;
    job.control_ports[0] = port;
    job.control_count = 1;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_NO_ANSWER);
    cr_expect_eq(o->control_count, 1);
    cr_expect_eq(o->controls[0].code, PX_CODE_REFUSED);
    cr_expect(o->trace.ran);
    cr_expect_not(o->trace.reached);
    cr_expect_leq(o->took_ms, 3500);
    rig_close(&rig);
    silence_close(&silence);
    (void)close(closed);
}

Test(prober, sides_are_not_run_when_the_port_answers)
{
    uint16_t port;
    int closed = closed_port(&port);

    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("tcp", "127.0.0.1", port);
    job.sides_if_silent = PX_SIDE_CONTROL | PX_SIDE_TRACE | PX_SIDE_ECHO | PX_SIDE_REFERENCE;
    job.control_ports[0] = port;
    job.control_count = 1;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_REFUSED);
    cr_expect_eq(o->control_count, 0);
    cr_expect_not(o->trace.ran);
    cr_expect_not(o->echo.ran);
    cr_expect_lt(o->took_ms, 1000);
    rig_close(&rig);
    (void)close(closed);
}

Test(prober, a_late_answer_makes_the_sides_pointless)
{
    struct silence silence, other;

    rig_open(&rig, NULL, NULL);
    silence_open(&silence);
    silence_open(&other);
    struct px_job job = job_for("tcp", "127.0.0.1", silence.port);
    job.sides_if_silent = PX_SIDE_CONTROL;
    job.control_ports[0] = other.port;
    job.control_count = 1;
    rig_submit(&rig, &job);
    px_mono opened = px_mono_now() + 1500 * PX_MS;
    while (rig.done == 0 && px_mono_now() < opened)
        rig_turn(&rig);
    cr_assert_eq(rig.done, 0);
    for (int i = 0; i < 2; i++) /* make room in the queue: the next SYN gets through */
        (void)close(accept(silence.fd, NULL, NULL));
    rig_wait(&rig, 1);
    cr_expect_eq(rig.results[0].code, PX_CODE_OK, "%s", px_code_name(rig.results[0].code));
    cr_expect_gt(rig.results[0].attempts[0].retransmits, 0);
    cr_expect_eq(rig.results[0].control_count, 0, "what had not come is not waited for");
    cr_expect_lt(rig.results[0].took_ms - rig.results[0].ms[PX_STAGE_TCP], 1500);
    silence_close(&silence);
    silence_close(&other);
    rig_close(&rig);
}

Test(prober, nothing_to_do_is_not_run)
{
    rig_open(&rig, NULL, NULL);
    struct px_job job = job_for("tcp", "127.0.0.1", 22);
    job.ladder = false;
    const struct px_observation *o = rig_run(&rig, &job);
    cr_expect_eq(o->code, PX_CODE_NOT_RUN);
    cr_expect_eq(o->attempt_count, 0);
    rig_close(&rig);
}

Test(prober, says_what_it_can)
{
    char can[PROBER_CAPABILITIES_TEXT];

    cr_expect_str_eq(prober_capabilities(can), can);
    cr_expect(strstr(can, "tcp,ssh") == can, "%s", can);
    cr_expect_not_null(strstr(can, "ipv4"));
    cr_expect_not_null(strstr(can, "trace"));
}
