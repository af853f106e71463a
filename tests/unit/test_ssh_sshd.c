/* SPDX-License-Identifier: MIT */
/* The ssh probe against a real sshd: what it learns, what it leaves in the log, what it costs. */
#include "tests/unit/ssh_rig.h"

/* "256 SHA256:... comment (ED25519)" -> "SHA256:..." as ssh-keygen prints it. */
static void read_fingerprint(const struct sshd *sshd, char *out, size_t size)
{
    char command[256], line[256] = "", key[128];
    FILE *pipe;

    snprintf(command, sizeof(command), "/usr/bin/ssh-keygen -l -f %s.pub",
             sshd_path(sshd, "key", key));
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    cr_assert_not_null(fgets(line, sizeof(line), pipe));
    pclose(pipe);
    cr_assert_not_null(strtok(line, " "));
    snprintf(out, size, "%s", strtok(NULL, " "));
}

static const struct {
    const char *type, *shown;
} keys[] = {
    {"ed25519", "ssh-ed25519"},
    {"ecdsa", "ecdsa-sha2-nistp256"},
    {"rsa", "ssh-rsa"},
};

Test(ssh_sshd, learns_everything_in_one_connection)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char fingerprint[128];
        struct sshd sshd;
        struct run run;

        sshd_open(&sshd, keys[i].type, "LogLevel DEBUG3");
        run_once(&run, sshd.port, i == 0 ? PX_STAGE_HOSTKEY : PX_STAGE_KEX, 5000);
        assert_result(&run, PX_STAGE_KEX, PX_CODE_OK);
        assert_has(run.obs.banner, "SSH-2.0-OpenSSH_");
        cr_assert_str_eq(run.obs.text, "");
        cr_assert_str_eq(run.obs.hostkey_type, keys[i].shown);
        read_fingerprint(&sshd, fingerprint, sizeof(fingerprint));
        cr_assert_str_eq(run.obs.hostkey, fingerprint);
        cr_assert_str_eq(run.obs.kex, "curve25519-sha256");
        cr_assert(run.obs.ms[PX_STAGE_BANNER] > 0);
        cr_assert(run.obs.ms[PX_STAGE_KEX] > run.obs.ms[PX_STAGE_BANNER]);
        cr_assert(run.obs.ms[PX_STAGE_HOSTKEY] >= run.obs.ms[PX_STAGE_KEX]);
        cr_assert(run.obs.attempts[0].rtt_ms > 0 && run.obs.attempts[0].rtt_ms < 100);
        cr_assert_eq(run.obs.attempts[0].unacked, 0U);
        cr_assert(sshd_has_logged(&sshd, "Received SSH2_MSG_IGNORE", 1));
        sshd_close(&sshd);
    }
}

Test(ssh_sshd, takes_leave_every_time)
{
    struct sshd sshd;
    struct rig rig;
    struct run run;

    sshd_open(&sshd, "ed25519", "");
    rig_open(&rig);
    for (int i = 0; i < 30; i++) {
        run_start(&rig, &run, sshd.port, PX_STAGE_KEX, 5000);
        rig_wait(&rig);
        assert_result(&run, PX_STAGE_KEX, PX_CODE_OK);
    }
    rig_close(&rig);
    cr_assert(sshd_has_logged(&sshd, "Received disconnect", 30));
    cr_assert_eq(sshd_count(&sshd, "Connection reset by"), 0U);
    cr_assert_eq(sshd_count(&sshd, "Connection closed by"), 0U);
    sshd_close(&sshd);
}

static const struct {
    const char *config;
    enum px_code code;
    const char *text; /* of the observation, or the key exchange if it succeeds */
} offers[] = {
    {"KexAlgorithms ecdh-sha2-nistp521", PX_CODE_OK, "ecdh-sha2-nistp521"},
    {"KexAlgorithms diffie-hellman-group14-sha256", PX_CODE_OK, "diffie-hellman-group14-sha256"},
    {"KexAlgorithms diffie-hellman-group18-sha512,curve25519-sha256", PX_CODE_OK,
     "curve25519-sha256"},
    {"Ciphers aes128-ctr\nMACs hmac-sha1", PX_CODE_OK, "curve25519-sha256"},
    {"KexAlgorithms sntrup761x25519-sha512@openssh.com", PX_CODE_UNABLE,
     "probe cannot: server offers only sntrup761x25519-sha512@openssh.com (key exchange)"},
    {"KexAlgorithms diffie-hellman-group16-sha512,diffie-hellman-group18-sha512",
     PX_CODE_UNABLE,
     "probe cannot: server offers only "
     "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512 (key exchange)"},
    {"KexAlgorithms diffie-hellman-group1-sha1", PX_CODE_KEX_MISMATCH,
     "no common key exchange: server offers only diffie-hellman-group1-sha1"},
    {"Ciphers aes256-cbc,3des-cbc", PX_CODE_KEX_MISMATCH,
     "no common cipher to the server: server offers only aes256-cbc,3des-cbc"},
    {"Ciphers aes256-ctr\nMACs umac-128-etm@openssh.com", PX_CODE_UNABLE,
     "probe cannot: server offers only umac-128-etm@openssh.com (MAC to the server)"},
    {"HostKeyAlgorithms ssh-rsa", PX_CODE_KEX_MISMATCH,
     "no common host key: server offers only ssh-rsa"},
};

Test(ssh_sshd, says_whose_fault_a_mismatch_is)
{
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        struct sshd sshd;
        struct run run;

        sshd_open(&sshd, strstr(offers[i].config, "ssh-rsa") ? "rsa" : "ed25519", offers[i].config);
        run_once(&run, sshd.port, PX_STAGE_KEX, 5000);
        assert_result(&run, PX_STAGE_KEX, offers[i].code);
        if (offers[i].code == PX_CODE_OK)
            cr_assert_str_eq(run.obs.kex, offers[i].text);
        else
            cr_assert_str_eq(run.obs.text, offers[i].text);
        sshd_close(&sshd);
    }
}

Test(ssh_sshd, hears_why_the_door_is_shut)
{
    struct sshd sshd;
    struct run run;
    int held;

    sshd_open(&sshd, "ed25519", "PerSourceMaxStartups 1");
    held = try_connect(sshd.port);
    cr_assert(held >= 0);
    /* the slot is taken once the greeting has come */
    cr_assert_eq(recv(held, &(char){0}, 1, 0), 1);
    run_once(&run, sshd.port, PX_STAGE_KEX, 5000);
    assert_result(&run, PX_STAGE_BANNER, PX_CODE_REFUSAL_TEXT);
    assert_has(run.obs.text, "Exceeded MaxStartups");
    close(held);
    sshd_close(&sshd);
}

#define MANY 200

Test(ssh_sshd, gives_back_every_descriptor)
{
    unsigned before, most = 0;
    struct sshd sshd;
    struct rig rig;
    struct run run;

    sshd_open(&sshd, "ed25519", "");
    rig_open(&rig);
    before = count_descriptors();
    for (int i = 0; i < MANY; i++) {
        run_start(&rig, &run, sshd.port, i % 4 ? PX_STAGE_KEX : PX_STAGE_BANNER, 5000);
        rig_wait(&rig);
        cr_assert_eq(run.obs.code, PX_CODE_OK);
        most = rig.wakeups > most ? rig.wakeups : most;
        rig.wakeups = 0;
    }
    cr_assert_eq(count_descriptors(), before);
    cr_assert_eq(event_base_get_num_events(rig.base, EVENT_BASE_COUNT_ADDED), 0);
    cr_assert(most < 60, "%u wake-ups for one handshake", most);
    rig_close(&rig);
    sshd_close(&sshd);
}

Test(ssh_sshd, finishes_two_hundred_handshakes_at_once)
{
    struct run *runs = calloc(MANY, sizeof(*runs));
    unsigned before;
    struct sshd sshd;
    struct rig rig;

    sshd_open(&sshd, "ed25519", "");
    rig_open(&rig);
    before = count_descriptors();
    for (int i = 0; i < MANY; i++)
        run_start(&rig, &runs[i], sshd.port, PX_STAGE_KEX, 60000);
    rig_wait(&rig);
    for (int i = 0; i < MANY; i++) {
        assert_result(&runs[i], PX_STAGE_KEX, PX_CODE_OK);
        cr_assert_eq(runs[i].done, 1U);
        cr_assert_str_eq(runs[i].obs.hostkey, runs[0].obs.hostkey);
    }
    cr_assert_eq(count_descriptors(), before);
    cr_assert(sshd_has_logged(&sshd, "Received disconnect", MANY));
    rig_close(&rig);
    sshd_close(&sshd);
    free(runs);
}

/* However far it has come: nothing is called, nothing is left. */
Test(ssh_sshd, can_be_cancelled_at_any_moment)
{
    unsigned before, turns = 0;
    bool finished = false;
    struct sshd sshd;
    struct rig rig;
    struct run run;

    sshd_open(&sshd, "ed25519", "");
    rig_open(&rig);
    before = count_descriptors();
    for (; !finished; turns++) {
        run_start(&rig, &run, sshd.port, PX_STAGE_KEX, 5000);
        for (unsigned t = 0; t < turns && rig.running > 0; t++)
            event_base_loop(rig.base, EVLOOP_ONCE);
        finished = rig.running == 0;
        if (finished)
            break;
        ssh_probe_ops.cancel(run.probe);
        rig.running = 0;
        cr_assert_eq(run.done, 0U);
        cr_assert_eq(count_descriptors(), before);
        cr_assert_eq(event_base_get_num_events(rig.base, EVENT_BASE_COUNT_ADDED), 0);
        cr_assert(turns < 1000);
    }
    cr_assert(turns > 4, "only %u turns", turns);
    cr_assert_eq(run.obs.code, PX_CODE_OK);
    rig_close(&rig);
    sshd_close(&sshd);
}

/* A server that waits for our words first, like a multiplexer in front of sshd. */
static uint16_t behind;

static bool pass_on(int from, int to)
{
    char data[4096];
    ssize_t n = recv(from, data, sizeof(data), 0);

    return n > 0 && send(to, data, (size_t)n, MSG_NOSIGNAL) == n;
}

static void wait_for_the_client(int fd)
{
    struct pollfd both[2] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
    bool open = poll(both, 1, -1) == 1;

    both[1].fd = try_connect(behind);
    while (open && poll(both, 2, -1) > 0) {
        if (both[0].revents)
            open = pass_on(fd, both[1].fd);
        if (open && both[1].revents)
            open = pass_on(both[1].fd, fd);
    }
    close(both[1].fd);
}

Test(ssh_sshd, goes_on_with_a_server_that_wants_to_be_greeted_first)
{
    struct server server;
    struct sshd sshd;
    struct run run;

    sshd_open(&sshd, "ed25519", "");
    behind = sshd.port;
    server_open(&server, wait_for_the_client);
    run_once(&run, server.port, PX_STAGE_KEX, 20000);
    assert_result(&run, PX_STAGE_KEX, PX_CODE_OK);
    cr_assert(run.obs.ms[PX_STAGE_BANNER] >= 8000);
    cr_assert(sshd_has_logged(&sshd, "Received disconnect", 1));
    server_close(&server);
    sshd_close(&sshd);
}
