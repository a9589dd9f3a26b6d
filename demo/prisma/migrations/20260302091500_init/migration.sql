-- CreateEnum
CREATE TYPE "instrument_family" AS ENUM ('STRINGS', 'WOODWIND', 'BRASS', 'PERCUSSION', 'PLUCKED');

-- CreateEnum
CREATE TYPE "gig_status" AS ENUM ('OPEN', 'INVITED', 'FILLED', 'CANCELLED');

-- CreateTable
CREATE TABLE "orchestra" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "name" TEXT NOT NULL,
    "city" TEXT NOT NULL,
    "hall" TEXT NOT NULL,
    "season" TEXT NOT NULL,

    CONSTRAINT "orchestra_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "instruments" (
    "id" SERIAL NOT NULL,
    "name" TEXT NOT NULL,
    "family" "instrument_family" NOT NULL,

    CONSTRAINT "instruments_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "musicians" (
    "id" SERIAL NOT NULL,
    "first_name" TEXT NOT NULL,
    "last_name" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "phone" TEXT,
    "city" TEXT NOT NULL,
    "instrument_id" INTEGER NOT NULL,
    "active" BOOLEAN NOT NULL DEFAULT true,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "musicians_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "concerts" (
    "id" SERIAL NOT NULL,
    "title" TEXT NOT NULL,
    "programme" TEXT NOT NULL,
    "venue" TEXT NOT NULL,
    "starts_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "concerts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "gigs" (
    "id" SERIAL NOT NULL,
    "concert_id" INTEGER NOT NULL,
    "instrument_id" INTEGER NOT NULL,
    "part" TEXT NOT NULL,
    "status" "gig_status" NOT NULL DEFAULT 'OPEN',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "gigs_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "instruments_name_key" ON "instruments"("name");

-- CreateIndex
CREATE UNIQUE INDEX "musicians_email_key" ON "musicians"("email");

-- CreateIndex
CREATE INDEX "musicians_instrument_id_idx" ON "musicians"("instrument_id");

-- CreateIndex
CREATE INDEX "concerts_starts_at_idx" ON "concerts"("starts_at");

-- CreateIndex
CREATE INDEX "gigs_instrument_id_idx" ON "gigs"("instrument_id");

-- CreateIndex
CREATE UNIQUE INDEX "gigs_concert_id_part_key" ON "gigs"("concert_id", "part");

-- AddForeignKey
ALTER TABLE "musicians" ADD CONSTRAINT "musicians_instrument_id_fkey" FOREIGN KEY ("instrument_id") REFERENCES "instruments"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "gigs" ADD CONSTRAINT "gigs_concert_id_fkey" FOREIGN KEY ("concert_id") REFERENCES "concerts"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "gigs" ADD CONSTRAINT "gigs_instrument_id_fkey" FOREIGN KEY ("instrument_id") REFERENCES "instruments"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- A database is one orchestra's; a second row would be a mistake.
ALTER TABLE "orchestra" ADD CONSTRAINT "orchestra_is_one" CHECK ("id" = 1);
