/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sshd itself: its settings for this login, and its host keys. */
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"
#include "resource/sshd.h"

#define MEND_HOST_KEYS "ssh-keygen -A; chmod 600 /etc/ssh/ssh_host_*_key; systemctl restart ssh"

int sp_doctor_sshd(struct sp_visit *v, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    const struct sp_login *l = v->login;
    struct sp_error why;

    if (sp_sshd_effective_from(l->host, l->config, l->user, l->address, &text, &why) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&text), text.len, &v->sshd, &why) < 0) {
        /* For each connection sshd starts itself anew: with the settings that it read when it began, but
         * with host keys that it reads again. */
        bool keys = strstr(why.text, "hostkeys") != NULL || strstr(why.text, "@@@@") != NULL;
        bool runs = sp_findings_first_stop(v->findings) == NULL;
        if (keys)
            (void)sp_str_copy(why.text, sizeof(why.text),
                              "sshd can load no host key: they are missing, or others can read them");
        if (sp_finding_add(
                v, "sshd", runs && !keys ? SP_FINDING_UNKNOWN : SP_FINDING_STOPS, err, "%s%s", why.text,
                runs && !keys ? "; a running sshd goes on with what it had, until its next start" : "") < 0)
            return -1;
        return sp_finding_mend(v, "%s", keys ? MEND_HOST_KEYS : why.hint);
    }
    v->has_sshd = true;
    return sp_doctor_running(v, err);
}

/* sshkey_perm_ok() of authfile.c: root's own key that others can read is not loaded. */
static bool is_usable(struct sp_visit *v, const char *path, char *problem, size_t size)
{
    struct sp_error why;
    _cleanup_close_ int fd =
        sp_fsat_open(v->login->host->root_fd, path, O_RDONLY | O_NONBLOCK, 0, SP_FSAT_FOLLOW, &why);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)sp_str_format(problem, size, "%.250s", fd < 0 ? why.text : "it cannot be looked at");
        return false;
    }
    if (st.st_uid == 0 && (st.st_mode & 077) != 0) {
        (void)sp_str_format(problem, size, "%.200s can be read by others (mode %04o)", path,
                            st.st_mode & 07777U);
        return false;
    }
    if (st.st_size == 0) {
        (void)sp_str_format(problem, size, "%.200s is empty", path);
        return false;
    }
    return true;
}

int sp_doctor_host_keys(struct sp_visit *v, struct sp_error *err)
{
    char problem[300] = "";
    const char *path;
    size_t good = 0, i;

    if (!v->has_sshd)
        return 0;
    for (i = 0; (path = sp_sshdconf_nth(&v->sshd, "hostkey", i)) != NULL; i++)
        good += is_usable(v, path, problem, sizeof(problem));
    if (good == i && good > 0)
        return sp_finding_add(v, "host_keys", SP_FINDING_OK, err, "sshd has %zu host keys", good);
    if (sp_finding_add(v, "host_keys", good > 0 ? SP_FINDING_WARNING : SP_FINDING_STOPS, err,
                       good > 0 ? "a host key cannot be used: %s" : "no host key can be used: %s",
                       problem) < 0)
        return -1;
    return sp_finding_mend(v, MEND_HOST_KEYS);
}
