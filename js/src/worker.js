// The worker for bundlers. Static: a bundle in one file cannot hold what is imported later.
import * as ort from "onnxruntime-web/wasm";
import { use } from "./plain/worker.js";

use(ort);
