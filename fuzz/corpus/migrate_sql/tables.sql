-- CreateTable
CREATE TABLE "musician" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL DEFAULT 'O''Neil; x',
    CONSTRAINT "musician_pkey" PRIMARY KEY ("id")
);

CREATE INDEX CONCURRENTLY "by_name" ON "musician"("name");
