/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See blind.h: the ports that are sshd's. */
#include "blind.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "host/spawn.h"
#include "resource/sshports.h"

static unsigned port_of_units; /* where something listens, for process 1 */
static int systemctl;          /* what starting it answers */

static int spawn_for_ports(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    (void)h;
    if (strstr(s->argv[0], "systemctl") == NULL) {
        sp_buf_puts(&s->out, "port 22\n");
        return 0;
    }
    if (systemctl != 0)
        return sp_fail(err, SP_E_IO, systemctl, "cannot fork");
    sp_buf_printf(&s->out, "Listen=0.0.0.0:%u (Stream)\n", port_of_units);
    return 0;
}

/* 0: all ports are known; 1: one is not, and it is said; 2: without a word; -1: an error. */
static int find_ports(struct temp_host *t)
{
    struct sp_config config = {.key_store = SP_KEY_STORE_HOME};
    struct sp_sshports found;
    struct sp_error err;

    (void)sp_str_copy(config.sshd, sizeof(config.sshd), "/usr/sbin/sshd");
    if (sp_sshports_find(&t->h, &config, &found, &err) < 0)
        return -1;
    for (size_t i = 0; i < found.n; i++)
        if (found.ports[i] == port_of_units)
            return 0;
    return found.disagreement[0] != '\0' ? 1 : 2;
}

static void a_port_that_systemd_could_not_be_asked_for_is_not_left_out_without_a_word(void **state)
{
    struct temp_host *t = *state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st = {0};
    char link[64];

    assert_true(listener >= 0 && fstat(listener, &st) == 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    port_of_units = ntohs(at.sin_port);
    (void)snprintf(link, sizeof(link), "socket:[%llu]", (unsigned long long)st.st_ino);
    temp_put_deep(t, "proc/1/fd/0", "");
    assert_int_equal(symlinkat(link, t->h.root_fd, "proc/1/fd/3"), 0);
    t->ops.spawn = spawn_for_ports;
    t->h.real = true; /* for the kernel's sockets */
    assert_int_equal(find_ports(t), 2);
    temp_put_deep(t, "run/systemd/system/x", "");
    assert_int_equal(find_ports(t), 0);
    systemctl = EAGAIN;
    assert_int_equal(find_ports(t), 1);
    systemctl = ENOENT; /* there is none to be asked */
    assert_int_equal(find_ports(t), 2);
    systemctl = 0;
    with_each_failing(t, find_ports, 2);
    t->h.real = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_port_that_systemd_could_not_be_asked_for_is_not_left_out_without_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
