import { serve } from "../workers/serve.ts";
import { performJob } from "./document-job.ts";

serve(performJob);
