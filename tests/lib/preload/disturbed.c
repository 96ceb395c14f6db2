/*
 * disturbed - stands before a program (LD_PRELOAD), and says of the parts of nftables' listings but the first that a change has come
 * before them, as the kernel does. Of how many stands in the file that DISTURBED names, and is counted down.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static long left(const char *path)
{
	char text[32] = "";
	const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	const long n = read(fd, text, sizeof text - 1) > 0 ? strtol(text, NULL, 10) : 0;
	if (n > 0 && lseek(fd, 0, SEEK_SET) == 0)
		dprintf(fd, "%09ld\n", n - 1);
	close(fd);
	return n;
}

ssize_t recv(int sock, void *room, size_t len, int flags)
{
	ssize_t (*const real)(int, void *, size_t, int) = (ssize_t (*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
	const ssize_t got = real(sock, room, len, flags);
	struct nlmsghdr *h = room;
	static unsigned listing;

	if (got < (ssize_t)sizeof *h || !(h->nlmsg_flags & NLM_F_MULTI) || (h->nlmsg_type != NLMSG_DONE && NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES))
		return got;
	const int is_first = listing != h->nlmsg_seq;
	listing = h->nlmsg_seq;
	if (is_first || left(getenv("DISTURBED")) <= 0)
		return got;
	/* Of elements only the end says so. */
	for (int rest = (int)got; NLMSG_OK(h, (unsigned)rest); h = NLMSG_NEXT(h, rest))
		if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
			h->nlmsg_flags |= NLM_F_DUMP_INTR;
	return got;
}
