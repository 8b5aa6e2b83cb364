/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fuzz/fuzz_acl.c - any bytes as an access control list: a valid one, or refused and left alone.
 *
 * What chmod says of a valid one is what its mode is then; what is created below it has no more than was asked for.
 */
#include "core/acl.h"

#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[ACL_BYTES_MAX + 1], *acl = bytes + 1; /* at an odd address */
	mode_t mode = S_IFREG | 05000, created, again = 0;
	int r;

	if (size < 2 || size - 2 > ACL_BYTES_MAX)
		return 0;
	created = (mode_t)(data[0] | data[1] << 8) & 07777;
	size -= 2;
	memcpy(acl, data + 2, size);
	r = acl_to_mode(acl, size, &mode);
	if (r < 0) {
		ASSERT(r == -EINVAL && mode == (S_IFREG | 05000));
		ASSERT(acl_chmod(acl, size, 0777) == r && acl_create(acl, size, &created) == r);
		ASSERT(memcmp(acl, data + 2, size) == 0);
		return 0;
	}
	ASSERT((mode & ~(mode_t)0777) == (S_IFREG | 05000));
	again = created;
	ASSERT(acl_create(acl, size, &created) == r && (created & ~again) == 0 && (created & 07000) == (again & 07000));
	ASSERT((created & 0777 & ~mode) == 0);
	again = 0;
	ASSERT(acl_to_mode(acl, size, &again) == r && again == (created & 0777));
	ASSERT(acl_chmod(acl, size, 0640) == 0 && acl_to_mode(acl, size, &again) == r && again == 0640);
	return 0;
}
