// SPDX-License-Identifier: GPL-2.0-or-later
// contrib/demo.d/Fill.java - an application whose instances hold much data that is alike.
//
// Usage: java Fill.java SEED SHARED OWN READY STOP: fill SHARED MiB of heap with what every instance has
// and OWN MiB with what only this one has, say so by the file READY, live until there is a file STOP,
// then look whether all of it is still what it was.
import java.io.File;
import java.util.SplittableRandom;
import java.util.zip.CRC32;

public class Fill {
	static final int BLOCK = 1 << 20;

	static byte[][] fill(int megabytes, long seed) {
		byte[][] data = new byte[megabytes][];
		SplittableRandom random = new SplittableRandom(seed);
		for (int i = 0; i < megabytes; i++) {
			data[i] = new byte[BLOCK - 16]; // with its header, one block of the heap
			random.nextBytes(data[i]);
		}
		return data;
	}

	static long sum(byte[][] data) {
		CRC32 crc = new CRC32();
		for (byte[] block : data)
			crc.update(block);
		return crc.getValue();
	}

	public static void main(String[] args) throws Exception {
		byte[][] shared = fill(Integer.parseInt(args[1]), 1);
		byte[][] own = fill(Integer.parseInt(args[2]), 1000 + Long.parseLong(args[0]));
		long before = sum(shared) * 31 + sum(own);
		new File(args[3]).createNewFile();
		while (!new File(args[4]).exists())
			Thread.sleep(50);
		System.exit(sum(shared) * 31 + sum(own) == before ? 0 : 1);
	}
}
